"""The functions for what comes of batches: progress, results and cost. Each has two forms, as in `batches`."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import orjson

from nightmail.library.backend import Body
from nightmail.library.batch_api import BatchApi
from nightmail.library.batch_apis import batch_api_of, gateway_batches_of
from nightmail.library.exceptions import NightmailError
from nightmail.library.failures import bad_request
from nightmail.library.objects import Batch, Outcome
from nightmail.library.options import OnProgress, Options, read_options
from nightmail.library.process import awaited, blocking, process
from nightmail.library.spending import counted
from nightmail.library.stream import Stream
from nightmail.library.watch import FINAL, until_final

__all__ = [
    "abatch_completion_results",
    "abatch_completion_retrieve",
    "abatch_completion_wait",
    "batch_completion_results",
    "batch_completion_retrieve",
    "batch_completion_wait",
]


async def _batch_completion_retrieve(
    batch_id: str, output_file_path: str | os.PathLike[str] | None = None, **given: Any
) -> Batch:
    """A batch. Once it is final, its outcomes are written to `output_file_path`, if that is given.

    One line of JSON for each request, in the order of the input; `error` is in it only where something
    went wrong. The file appears as a whole. Where what a provider tells of a final batch does not make up
    its `cost`, the results are read for that.
    """
    options, _ = read_options(given)
    api = batch_api_of(options, batch_id)
    batch = await api.retrieve(batch_id)
    if output_file_path is None or batch.status not in FINAL:
        return await _with_cost(api, batch)
    await _write(counted(batch, api.outcomes(batch)), Path(output_file_path))
    return batch


async def _batch_completion_wait(
    batch_id: str, on_progress: OnProgress | None = None, **given: Any
) -> Batch:
    """The batch in its final status, with its cost as from `batch_completion_retrieve`.

    It is asked for after an eighth of the time waited so far, at least every minute, and `on_progress` is
    called with it, from another thread.
    """
    options, _ = read_options(given)
    api = batch_api_of(options, batch_id)
    batch = await until_final(api, await api.retrieve(batch_id), on_progress)
    return await _with_cost(api, batch)


def batch_completion_results(
    batch_id: str, *, as_completed: bool = False, merged: bool = False, **given: Any
) -> Stream[Outcome]:
    """The outcomes of a final batch in the order of its input, one by one as they are wanted.

    To be read by `for` or by `async for`. `error` is in one only where something went wrong. Through a
    gateway, with `as_completed` they come while the batch runs, until it has ended, in the order in which
    they are there; with `merged` those of its retries stand in the place of what they have mended, and one
    that still runs is waited for.
    """
    if as_completed and merged:
        raise bad_request("Give either as_completed or merged.", "merged")
    options, _ = read_options(given)
    if as_completed:
        lines = gateway_batches_of(options, "results as they come").arriving(batch_id)
    elif merged:
        lines = gateway_batches_of(options, "retries of batches").merged(batch_id)
    else:
        lines = _final(options, batch_id)
    return Stream(process().loop, _as_objects(lines))


async def _with_cost(api: BatchApi, batch: Batch) -> Batch:
    """The results may not be there yet, or not any more; then the cost is not known."""
    if batch.status in FINAL and batch.nightmail is None:
        with suppress(NightmailError):
            async for _ in counted(batch, api.outcomes(batch)):
                pass
    return batch


async def _final(options: Options, batch_id: str) -> AsyncGenerator[Body]:
    api = batch_api_of(options, batch_id)
    batch = await api.retrieve(batch_id)
    if batch.status not in FINAL:
        raise bad_request(
            f"The batch {batch_id} is {batch.status}, and has no results yet: batch_completion_wait "
            "waits for them.",
            "batch_id",
        )
    async with aclosing(api.outcomes(batch)) as lines:
        async for line in lines:
            yield line


async def _as_objects(lines: AsyncGenerator[Body]) -> AsyncGenerator[Outcome]:
    async with aclosing(lines):
        async for line in lines:
            yield Outcome(line)


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


batch_completion_retrieve = blocking(_batch_completion_retrieve)
abatch_completion_retrieve = awaited(_batch_completion_retrieve)
batch_completion_wait = blocking(_batch_completion_wait)
abatch_completion_wait = awaited(_batch_completion_wait)
abatch_completion_results = batch_completion_results
