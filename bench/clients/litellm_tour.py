"""LiteLLM's own SDK as the gateway's client: every call that it has for a proxy, one after the other.

A program of its own: `NIGHTMAIL_BASE_URL` and `NIGHTMAIL_API_KEY` lead to the gateway. Prints what worked, and
exits with the number of failures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import litellm

from bench.clients.prompts import MESSAGES

litellm.suppress_debug_info = True
PROVIDER = "litellm_proxy"
CHAT = "/v1/chat/completions"
MODEL = "gpt-4o-mini"
SECONDS_FOR_A_BATCH = 60
_ACCESS = {
    "api_base": os.environ["NIGHTMAIL_BASE_URL"],
    "api_key": os.environ["NIGHTMAIL_API_KEY"],
}
_PROXIED: dict[str, Any] = {"model": f"{PROVIDER}/{MODEL}", "messages": MESSAGES, **_ACCESS}
_BATCHES: dict[str, Any] = {"custom_llm_provider": PROVIDER, **_ACCESS}
_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    },
}


def completion() -> str:
    answer: Any = litellm.completion(**_PROXIED)
    assert answer.model == f"{PROVIDER}/{MODEL}", answer.model
    assert answer.usage.total_tokens
    return str(answer.choices[0].message.content)


def acompletion() -> str:
    answer: Any = asyncio.run(litellm.acompletion(**_PROXIED))
    return str(answer.choices[0].message.content)


def completion_with_stream() -> str:
    chunks: Any = litellm.completion(
        **_PROXIED, stream=True, stream_options={"include_usage": True}
    )
    pieces = list(chunks)
    assert any(getattr(piece, "usage", None) for piece in pieces)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text
    return f"{len(pieces)} chunks"


def acompletion_with_stream() -> str:
    async def read() -> list[Any]:
        chunks: Any = await litellm.acompletion(**_PROXIED, stream=True)
        return [chunk async for chunk in chunks]

    pieces = asyncio.run(read())
    assert any(piece.choices[0].delta.content for piece in pieces)
    return f"{len(pieces)} chunks"


def completion_with_tools() -> str:
    choice = {"type": "function", "function": {"name": "weather"}}
    answer: Any = litellm.completion(
        **_PROXIED,
        tools=[_WEATHER],
        tool_choice=choice,
        _skip_mcp_handler=True,  # it imports a package that LiteLLM does not install
    )
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "weather"
    return f"{call.function.name}({call.function.arguments})"


def batch_completion() -> str:
    prompts = [[{"role": "user", "content": f"Prompt {number}"}] for number in range(5)]
    answers: Any = litellm.batch_completion(**{**_PROXIED, "messages": prompts})
    assert len({answer.choices[0].message.content for answer in answers}) == len(prompts)
    return f"{len(answers)} answers"


def fastest_response() -> str:
    models = f"{PROVIDER}/gpt-4o, {MODEL}"
    answer: Any = litellm.completion(
        **{**_PROXIED, "model": models}, extra_body={"fastest_response": True}
    )
    assert answer.model in {f"{PROVIDER}/gpt-4o", f"{PROVIDER}/{MODEL}"}, answer.model
    return f"{answer.model} won"


def fastest_response_with_stream() -> str:
    models = f"{PROVIDER}/gpt-4o, {MODEL}"
    chunks: Any = litellm.completion(
        **{**_PROXIED, "model": models}, stream=True, extra_body={"fastest_response": True}
    )
    pieces = list(chunks)
    assert any(piece.choices[0].delta.content for piece in pieces)
    return f"{len(pieces)} chunks"


def another_providers_model() -> str:
    answer: Any = litellm.completion(**{**_PROXIED, "model": f"{PROVIDER}/claude-haiku-4-5"})
    assert answer.choices[0].message.content
    return str(answer.model)


def embedding() -> str:
    answer: Any = litellm.embedding(
        model=f"{PROVIDER}/text-embedding-3-small", input=["one", "two"], **_ACCESS
    )
    first, second = answer.data
    assert first["embedding"] != second["embedding"]
    return f"{len(first['embedding'])} dimensions"


def an_unknown_model() -> str:
    try:
        litellm.completion(**{**_PROXIED, "model": f"{PROVIDER}/nobody"}, max_retries=0)
    except litellm.NotFoundError as error:
        return type(error).__name__
    raise AssertionError("nobody answered")


def files_and_a_batch() -> str:
    file: Any = litellm.create_file(file=("lines.jsonl", _lines()), purpose="batch", **_BATCHES)
    batch: Any = litellm.create_batch(
        completion_window="24h",
        endpoint=CHAT,
        input_file_id=file.id,
        metadata={"made_by": "bench"},
        **_BATCHES,
    )
    end = time.monotonic() + SECONDS_FOR_A_BATCH
    while batch.status != "completed":
        assert time.monotonic() < end, batch.status
        time.sleep(0.5)
        batch = litellm.retrieve_batch(batch_id=batch.id, **_BATCHES)
    content: Any = litellm.file_content(file_id=batch.output_file_id, **_BATCHES)
    answered = [json.loads(line)["custom_id"] for line in content.content.splitlines()]
    assert answered == ["one", "two"]
    return f"{batch.id} {batch.status}"


def a_list_of_batches() -> str:
    batches: Any = litellm.list_batches(limit=10, **_BATCHES)
    assert batches.data
    return f"{len(batches.data)} batches"


def a_cancelled_batch() -> str:
    file: Any = litellm.create_file(file=("lines.jsonl", _lines()), purpose="batch", **_BATCHES)
    batch: Any = litellm.create_batch(
        completion_window="24h", endpoint=CHAT, input_file_id=file.id, **_BATCHES
    )
    cancelled: Any = litellm.cancel_batch(batch_id=batch.id, **_BATCHES)
    return str(cancelled.status)


def files() -> str:
    file: Any = litellm.create_file(file=("lines.jsonl", _lines()), purpose="batch", **_BATCHES)
    found: Any = litellm.file_retrieve(file_id=file.id, **_BATCHES)
    assert found.bytes == len(_lines())
    listed: Any = litellm.file_list(purpose="batch", **_BATCHES)
    assert file.id in {one.id for one in listed}
    deleted: Any = litellm.file_delete(file_id=file.id, **_BATCHES)
    assert deleted.deleted
    return f"{file.id} made, found, listed, deleted"


TOUR: list[Callable[[], str]] = [
    completion,
    acompletion,
    completion_with_stream,
    acompletion_with_stream,
    completion_with_tools,
    batch_completion,
    fastest_response,
    fastest_response_with_stream,
    another_providers_model,
    embedding,
    an_unknown_model,
    files,
    files_and_a_batch,
    a_list_of_batches,
    a_cancelled_batch,
]


def main() -> int:
    failures = 0
    for stop in TOUR:
        label = stop.__name__.replace("_", " ")
        try:
            print(f"{label:<32}worked: {stop()[:60]}")
        except Exception:  # noqa: BLE001 - whatever it is, the tour goes on
            failures += 1
            print(f"{label:<32}FAILED")
            traceback.print_exc()
    return failures


def _lines() -> bytes:
    return b"".join(
        json.dumps(
            {
                "custom_id": custom_id,
                "method": "POST",
                "url": CHAT,
                "body": {"model": MODEL, "messages": MESSAGES},
            }
        ).encode()
        + b"\n"
        for custom_id in ("one", "two")
    )


if __name__ == "__main__":
    sys.exit(main())
