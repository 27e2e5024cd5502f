"""The functions for batches. Each has two forms: `create_batch` waits, `acreate_batch` is awaited.

Without a gateway they speak to `custom_llm_provider`'s own API, by default OpenAI's. All take `api_key`,
`api_base`, `base_url`, `timeout`, `max_retries`, `headers` and `extra_headers`, and raise NightmailError.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path
from typing import Any

import orjson

from nightmail.library.exceptions import NightmailError
from nightmail.library.failures import bad_request
from nightmail.library.objects import Batch, BatchPage, Outcome
from nightmail.library.options import OnProgress, read_options
from nightmail.library.process import awaited, blocking, process
from nightmail.library.results import outcomes
from nightmail.library.servers import Home, home_of
from nightmail.library.sources import opened, written
from nightmail.library.stream import Stream
from nightmail.library.uploads import upload
from nightmail.library.watch import FINAL, until_final

__all__ = [
    "abatch_completion_create",
    "abatch_completion_list",
    "abatch_completion_results",
    "abatch_completion_retrieve",
    "abatch_completion_wait",
    "acancel_batch",
    "acreate_batch",
    "alist_batches",
    "aretrieve_batch",
    "batch_completion_create",
    "batch_completion_list",
    "batch_completion_results",
    "batch_completion_retrieve",
    "batch_completion_wait",
    "cancel_batch",
    "create_batch",
    "list_batches",
    "retrieve_batch",
]

_CHAT = "/v1/chat/completions"
_WINDOW = "24h"


async def _create_batch(
    completion_window: str = _WINDOW,
    endpoint: str = _CHAT,
    input_file_id: str = "",
    metadata: Mapping[str, str] | None = None,
    **given: Any,
) -> Batch:
    """A batch of the requests in a file that was created before.

    Through a gateway it is made once, however often the network makes the request go out.
    """
    options, extra = read_options(given)
    body = {
        "input_file_id": input_file_id,
        "endpoint": endpoint,
        "completion_window": completion_window,
        **({"metadata": metadata} if metadata else {}),
        **extra,
    }
    return await _create(home_of(options), body)


async def _retrieve_batch(batch_id: str, **given: Any) -> Batch:
    options, _ = read_options(given)
    return await _retrieve(home_of(options), batch_id)


async def _list_batches(
    after: str | None = None, limit: int | None = None, **given: Any
) -> BatchPage:
    """A page of batches, newest first; `after` is the last id of the page before."""
    options, extra = read_options(given)
    query = {"after": after, "limit": limit, **extra}
    return BatchPage(await home_of(options).server.get("/batches", query))


async def _cancel_batch(batch_id: str, **given: Any) -> Batch:
    """The batch, which ends from now on; what was answered stays answered."""
    options, _ = read_options(given)
    answered = await home_of(options).server.post(
        f"/batches/{batch_id}/cancel", {}, repeatable=True
    )
    return Batch(answered.body)


async def _batch_completion_create(
    input_file_path: str | os.PathLike[str] | None = None,
    endpoint: str = _CHAT,
    completion_window: str = _WINDOW,
    metadata: Mapping[str, str] | None = None,
    *,
    requests: Iterable[Mapping[str, Any]] | None = None,
    **given: Any,
) -> Batch:
    """A batch of the requests in a file of this machine, or of `requests`, which are read one by one.

    A request needs a `body`; `custom_id` (request-1, request-2, ...), `method` and `url` are filled in.
    """
    options, extra = read_options(given)
    home = home_of(options)
    with ExitStack() as stack:
        if requests is not None and input_file_path is None:
            content = written(requests, endpoint)
        elif input_file_path is not None and requests is None:
            content = opened(input_file_path)
        else:
            raise bad_request("Give either input_file_path or requests.", "input_file_path")
        source = await asyncio.to_thread(stack.enter_context, content)
        file = await upload(home, source, "batch", {})
    body = {
        "input_file_id": file.id,
        "endpoint": endpoint,
        "completion_window": completion_window,
        **({"metadata": metadata} if metadata else {}),
        **extra,
    }
    try:
        return await _create(home, body)
    except NightmailError:
        with suppress(NightmailError):
            await home.server.delete(f"/files/{file.id}")
        raise


async def _batch_completion_retrieve(
    batch_id: str, output_file_path: str | os.PathLike[str] | None = None, **given: Any
) -> Batch:
    """A batch. Once it is final, its outcomes are written to `output_file_path`, if that is given.

    One line of JSON for each request, in the order of the input; `error` is in it only where something
    went wrong. The file appears as a whole.
    """
    options, _ = read_options(given)
    home = home_of(options)
    batch = await _retrieve(home, batch_id)
    if output_file_path is not None and batch.status in FINAL:
        await _write(outcomes(home, batch), Path(output_file_path))
    return batch


async def _batch_completion_wait(
    batch_id: str, on_progress: OnProgress | None = None, **given: Any
) -> Batch:
    """The batch in its final status. `on_progress` is called with it at every look, from another thread.

    It is asked for after an eighth of the time waited so far, at least every minute.
    """
    options, _ = read_options(given)
    home = home_of(options)
    return await until_final(home.server, await _retrieve(home, batch_id), on_progress)


def batch_completion_results(batch_id: str, **given: Any) -> Stream[Outcome]:
    """The outcomes of a final batch in the order of its input, one by one as they are wanted.

    To be read by `for` or by `async for`. `error` is in one only where something went wrong.
    """
    return Stream(process().loop, _results(batch_id, given))


async def _results(batch_id: str, given: Mapping[str, Any]) -> AsyncGenerator[Outcome]:
    options, _ = read_options(given)
    home = home_of(options)
    batch = await _retrieve(home, batch_id)
    if batch.status not in FINAL:
        raise bad_request(
            f"The batch {batch_id} is {batch.status}, and has no results yet: batch_completion_wait "
            "waits for them.",
            "batch_id",
        )
    async with aclosing(outcomes(home, batch)) as lines:
        async for line in lines:
            yield Outcome(line)


async def _create(home: Home, body: Mapping[str, Any]) -> Batch:
    """A provider that does not know the key would make a second batch, so that it is asked once."""
    once = {"idempotency-key": uuid.uuid4().hex} if home.is_gateway else None
    answered = await home.server.post("/batches", body, headers=once, repeatable=home.is_gateway)
    return Batch(answered.body)


async def _retrieve(home: Home, batch_id: str) -> Batch:
    return Batch(await home.server.get(f"/batches/{batch_id}"))


async def _write(lines: AsyncGenerator[Mapping[str, Any]], path: Path) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        async with aclosing(lines):
            with part.open("wb") as file:
                async for line in lines:
                    file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


create_batch = blocking(_create_batch)
acreate_batch = awaited(_create_batch)
retrieve_batch = blocking(_retrieve_batch)
aretrieve_batch = awaited(_retrieve_batch)
list_batches = blocking(_list_batches)
alist_batches = awaited(_list_batches)
cancel_batch = blocking(_cancel_batch)
acancel_batch = awaited(_cancel_batch)
batch_completion_create = blocking(_batch_completion_create)
abatch_completion_create = awaited(_batch_completion_create)
batch_completion_retrieve = blocking(_batch_completion_retrieve)
abatch_completion_retrieve = awaited(_batch_completion_retrieve)
batch_completion_list = list_batches
abatch_completion_list = alist_batches
batch_completion_wait = blocking(_batch_completion_wait)
abatch_completion_wait = awaited(_batch_completion_wait)
abatch_completion_results = batch_completion_results
