"""LiteLLM's page on the API of files and batches, written anew for the library's awaited functions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nightmail


async def files_and_batches(path: Path) -> None:
    """Its whole flow with the requests in `path`, wherever the calls go."""
    from_openai = {"custom_llm_provider": "openai"}
    with path.open("rb") as file:
        made = await nightmail.acreate_file(file=file, purpose="batch", **from_openai)
    batch = await nightmail.acreate_batch(
        completion_window="24h",
        endpoint="/v1/chat/completions",
        input_file_id=made.id,
        metadata={"key1": "value1", "key2": "value2"},
        **from_openai,
    )
    retrieved = await nightmail.aretrieve_batch(batch_id=batch.id, **from_openai)
    assert (retrieved.id, retrieved.metadata) == (batch.id, batch.metadata)
    content = await nightmail.afile_content(file_id=made.id, **from_openai)
    assert content.content == await asyncio.to_thread(path.read_bytes)
    listed = nightmail.list_batches(limit=2, **from_openai)
    assert [one.id for one in listed.data] == [batch.id]
