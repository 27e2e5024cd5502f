"""The functions for batches. Each has two forms: `create_batch` waits, `acreate_batch` is awaited.

Without a gateway they speak to `custom_llm_provider`'s own API, by default OpenAI's. All take `api_key`,
`api_base`, `base_url`, `timeout`, `max_retries`, `headers` and `extra_headers`, and raise NightmailError.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from nightmail.endpoints import CHAT
from nightmail.library.backend import Body
from nightmail.library.batch_apis import batch_api_for, batch_api_of, gateway_batches_of
from nightmail.library.failures import bad_request
from nightmail.library.objects import Batch, BatchPage
from nightmail.library.options import Options, read_options
from nightmail.library.process import awaited, blocking
from nightmail.library.sources import opened, written

__all__ = [
    "abatch_completion_create",
    "abatch_completion_list",
    "abatch_completion_retry",
    "acancel_batch",
    "acreate_batch",
    "alist_batches",
    "aretrieve_batch",
    "aretry_batch",
    "batch_completion_create",
    "batch_completion_list",
    "batch_completion_retry",
    "cancel_batch",
    "create_batch",
    "list_batches",
    "retrieve_batch",
    "retry_batch",
]

_WINDOW = "24h"
# What a gateway's batch may be told, and has among its details.
_SETTINGS = ("strict", "on_deadline", "dry_run")


async def _create_batch(
    completion_window: str = _WINDOW,
    endpoint: str = CHAT,
    input_file_id: str = "",
    metadata: Mapping[str, str] | None = None,
    **given: Any,
) -> Batch:
    """A batch of the requests in a file that was created before.

    Through a gateway it is made once, however often the network makes the request go out, and may have
    `strict`, `on_deadline` ("expire", "finish_direct") and `dry_run`: a dry run sends nothing, and its
    `estimate` tells lines, tokens and cost.
    """
    options, body = _read(
        given, endpoint=endpoint, completion_window=completion_window, metadata=metadata or None
    )
    return await batch_api_of(options).create(input_file_id, body)


async def _retrieve_batch(batch_id: str, **given: Any) -> Batch:
    options, _ = read_options(given)
    return await batch_api_of(options, batch_id).retrieve(batch_id)


async def _list_batches(
    after: str | None = None, limit: int | None = None, **given: Any
) -> BatchPage:
    """A page of batches, newest first; `after` is the last id of the page before."""
    options, extra = read_options(given)
    return await batch_api_of(options).list({"after": after, "limit": limit, **extra})


async def _cancel_batch(batch_id: str, **given: Any) -> Batch:
    """The batch, which ends from now on; what was answered stays answered."""
    options, _ = read_options(given)
    return await batch_api_of(options, batch_id).cancel(batch_id)


async def _retry_batch(
    batch_id: str,
    completion_window: str | None = None,
    metadata: Mapping[str, str] | None = None,
    **given: Any,
) -> Batch:
    """A batch of the requests that failed in a final one, through a gateway.

    It is like the other but for what is given here: `strict`, `on_deadline` and `dry_run` too.
    """
    options, body = _read(given, completion_window=completion_window, metadata=metadata)
    return await gateway_batches_of(options, "retry of a batch").retry(batch_id, body)


async def _batch_completion_create(
    input_file_path: str | os.PathLike[str] | None = None,
    endpoint: str = CHAT,
    completion_window: str = _WINDOW,
    metadata: Mapping[str, str] | None = None,
    *,
    requests: Iterable[Mapping[str, Any]] | None = None,
    **given: Any,
) -> Batch:
    """A batch of the requests in a file of this machine, or of `requests`, which are read one by one.

    A request needs a `body`; `custom_id` (request-1, request-2, ...), `method` and `url` are filled in.
    Without a gateway, the models tell whose API it is that makes the batch, unless `custom_llm_provider`
    does; all are of one provider. What a gateway's batch may be told is as for `create_batch`.
    """
    options, body = _read(
        given, endpoint=endpoint, completion_window=completion_window, metadata=metadata or None
    )
    with ExitStack() as stack:
        if requests is not None and input_file_path is None:
            content = written(requests, endpoint)
        elif input_file_path is not None and requests is None:
            content = opened(input_file_path)
        else:
            raise bad_request("Give either input_file_path or requests.", "input_file_path")
        source = await asyncio.to_thread(stack.enter_context, content)
        api = await asyncio.to_thread(batch_api_for, options, source)
        return await api.begin(source, body)


def _read(given: Mapping[str, Any], **asked: Any) -> tuple[Options, Body]:
    """Options, and the body of a creation: what is not given is not in it."""
    options, extra = read_options(given)
    settings = {name: extra.pop(name) for name in _SETTINGS if name in extra}
    settings = {**extra.pop("nightmail", {}), **settings}
    body = {name: value for name, value in asked.items() if value is not None}
    return options, {**body, **({"nightmail": settings} if settings else {}), **extra}


create_batch = blocking(_create_batch)
acreate_batch = awaited(_create_batch)
retrieve_batch = blocking(_retrieve_batch)
aretrieve_batch = awaited(_retrieve_batch)
list_batches = blocking(_list_batches)
alist_batches = awaited(_list_batches)
cancel_batch = blocking(_cancel_batch)
acancel_batch = awaited(_cancel_batch)
retry_batch = blocking(_retry_batch)
aretry_batch = awaited(_retry_batch)
batch_completion_create = blocking(_batch_completion_create)
abatch_completion_create = awaited(_batch_completion_create)
batch_completion_list = list_batches
abatch_completion_list = alist_batches
batch_completion_retry = retry_batch
abatch_completion_retry = aretry_batch
