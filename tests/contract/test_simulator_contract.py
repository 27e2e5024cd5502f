"""The provider simulator against OpenAI's published document, and under OpenAI's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import CHAT, Json, Provider, as_jsonl, chat, line

SPECS = Path(__file__).parents[3] / "shared" / "specs"
DOCUMENT = SPECS / "openai.relaxed.openapi.yaml"
LINE_SCHEMAS = SPECS / "batch_lines.schema.json"
LINES = [line(1), line(2), line(3, chat("[[fail:400]]"))]

Check = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def check() -> Check:
    """Holds a value against a schema of OpenAI's document, by the schema's name."""
    if not DOCUMENT.is_file():
        pytest.skip("OpenAI's document is not here")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(DOCUMENT.read_text(), loader)
    resource: Resource[Any] = Resource.from_contents(document, DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:openai", resource)

    def hold(name: str, value: Any) -> None:
        reference = {"$ref": f"urn:openai#/components/schemas/{name}"}
        OAS31Validator(reference, registry=registry).validate(value)

    return hold


@pytest.fixture(scope="module")
def check_line() -> Check:
    """Holds a line of a batch's file against `input_line`, `output_line` or `error_line`."""
    if not LINE_SCHEMAS.is_file():
        pytest.skip("the schemas of batch lines are not here")
    schemas = json.loads(LINE_SCHEMAS.read_text())

    def hold(name: str, value: Any) -> None:
        OAS31Validator({"$ref": f"#/$defs/{name}", **schemas}).validate(value)

    return hold


@pytest.fixture
def client(simulator: SimulatorClient) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=simulator.base_url, api_key="sk-test") as client:
        yield client


def test_files_are_shaped_as_documented(provider: Provider, check: Check) -> None:
    file = provider.upload(b"{}").json()

    check("OpenAIFile", file)
    check("OpenAIFile", provider.http.get(f"/files/{file['id']}").json())
    check("ListFilesResponse", provider.http.get("/files").json())
    check("DeleteFileResponse", provider.http.delete(f"/files/{file['id']}").json())
    check("ListFilesResponse", provider.http.get("/files").json())
    check("ErrorResponse", provider.http.get(f"/files/{file['id']}").json())
    check("ErrorResponse", provider.upload(b"", "in.txt").json())


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
def test_a_running_batch_is_shaped_as_documented(
    provider: Provider, check: Check, status: str
) -> None:
    provider.simulator.set(batch_seconds=60 if status == "cancelling" else 0)
    provider.simulator.behave({"kind": "stuck_batch", "at": status})
    batch_id = provider.submit(LINES, metadata={"a": "b"})
    if status == "cancelling":
        provider.http.post(f"/batches/{batch_id}/cancel").raise_for_status()
    provider.simulator.until_waiting()

    batch = provider.look(batch_id)

    assert batch["status"] == status
    check("Batch", batch)
    check("ListBatchesResponse", provider.http.get("/batches").json())


def test_a_final_batch_is_shaped_as_documented(
    provider: Provider, check: Check, check_line: Check
) -> None:
    batch = provider.finish(LINES)

    check("Batch", batch)
    check("Batch", provider.finish(b"{}"))
    check("ErrorResponse", provider.http.post(f"/batches/{batch['id']}/cancel").json())
    for sent in LINES:
        check_line("input_line", sent)
    for result in provider.results(batch["output_file_id"]):
        check_line("output_line", result)
        check("CreateChatCompletionResponse", result["response"]["body"])
    for result in provider.results(batch["error_file_id"]):
        check_line("error_line", result)


@pytest.mark.parametrize("after_lines", [0, 2])
def test_an_expired_batch_is_shaped_as_documented(
    provider: Provider, check: Check, check_line: Check, after_lines: int
) -> None:
    provider.simulator.behave({"kind": "expired_batch", "after_lines": after_lines})
    batch = provider.finish([*LINES[:2], line(4)])

    check("Batch", batch)
    for result in provider.results(batch["error_file_id"]):
        check_line("error_line", result)


@pytest.mark.parametrize(
    ("path", "body", "schema"),
    [
        ("/chat/completions", chat("Hi", n=2), "CreateChatCompletionResponse"),
        ("/chat/completions", chat("[[fail:429]]"), "ErrorResponse"),
        ("/completions", {"model": "m", "prompt": "Hi"}, "CreateCompletionResponse"),
        ("/embeddings", {"model": "m", "input": "Hi"}, "CreateEmbeddingResponse"),
        ("/nothing", {}, "ErrorResponse"),
    ],
)
def test_answers_are_shaped_as_documented(
    provider: Provider, check: Check, path: str, body: Json, schema: str
) -> None:
    check(schema, provider.http.post(path, json=body).json())


def test_models_are_shaped_as_documented(provider: Provider, check: Check) -> None:
    check("ListModelsResponse", provider.http.get("/models").json())
    check("Model", provider.http.get("/models/openai/gpt-5").json())


def test_every_chunk_of_a_stream_is_shaped_as_documented(provider: Provider, check: Check) -> None:
    options = {"include_usage": True}
    for more in ({}, {"stream_options": options}):
        *events, _ = provider.ask(chat("Hi", stream=True, **more)).text.split("\n\n")[:-1]
        for event in events:
            check("CreateChatCompletionStreamResponse", json.loads(event.removeprefix("data: ")))


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_refusals_are_shaped_as_documented(provider: Provider, check: Check, status: int) -> None:
    provider.simulator.behave({"kind": "status", "status": status})

    check("ErrorResponse", provider.http.get("/models").json())


def test_the_openai_client_runs_a_batch(simulator: SimulatorClient, client: openai.OpenAI) -> None:
    file = client.files.create(file=("in.jsonl", as_jsonl(LINES)), purpose="batch")
    assert client.files.wait_for_processing(file.id).status == "processed"
    batch = client.batches.create(
        input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"a": "b"}
    )
    simulator.until_final(batch.id)
    done = client.batches.retrieve(batch.id)

    assert done.request_counts is not None
    assert (done.status, done.request_counts.completed) == ("completed", 2)
    output = [
        json.loads(one) for one in client.files.content(str(done.output_file_id)).iter_lines()
    ]
    answers = {one["custom_id"]: one["response"]["body"]["choices"][0] for one in output}
    for sent in LINES[:2]:
        assert digest(sent["body"]) in answers[sent["custom_id"]]["message"]["content"]
    assert client.files.delete(file.id).deleted


def test_the_async_openai_client_runs_a_batch(simulator: SimulatorClient) -> None:
    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=simulator.base_url, api_key="sk-test") as client:
            content = as_jsonl(LINES)
            file = await client.files.create(file=("in.jsonl", content), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id, endpoint=CHAT, completion_window="24h"
            )
            await asyncio.to_thread(simulator.until_final, batch.id)
            done = await client.batches.retrieve(batch.id)
            assert [one.id async for one in client.batches.list()] == [batch.id]
            return (await client.files.content(str(done.error_file_id))).text

    (failed,) = asyncio.run(run()).splitlines()
    assert json.loads(failed)["custom_id"] == "line-3"


def test_the_openai_client_pages_through_lists(provider: Provider, client: openai.OpenAI) -> None:
    ids = [provider.submit([line(1)]) for _ in range(5)]

    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]
    assert len(list(client.files.list(limit=2, purpose="batch"))) == 5


def test_the_openai_client_cancels_a_batch_once(provider: Provider, client: openai.OpenAI) -> None:
    provider.simulator.behave({"kind": "stuck_batch"}, {"kind": "expired_batch"})
    cancelled = provider.submit(LINES)
    provider.simulator.until_final(cancelled)

    with pytest.raises(openai.ConflictError, match="Cannot cancel"):
        client.with_options(max_retries=0).batches.cancel(cancelled)

    provider.simulator.behave({"kind": "stuck_batch"})
    assert client.batches.cancel(provider.submit(LINES)).status == "cancelling"


def test_the_openai_client_streams_a_chat(client: openai.OpenAI) -> None:
    body = chat("Stream this")
    pieces = [
        chunk.choices[0].delta.content or ""
        for chunk in client.chat.completions.create(**body, stream=True)
    ]

    assert len(pieces) > 2
    assert digest(body) in "".join(pieces)


def test_the_openai_client_uses_the_other_endpoints(client: openai.OpenAI) -> None:
    asked = {"input": "Some text"}

    assert digest(asked) in client.responses.create(model="m", input="Some text").output_text
    assert not client.moderations.create(input="Some text").results[0].flagged
    assert "[sim " in client.completions.create(model="m", prompt="Hi").choices[0].text
    assert client.models.retrieve("gpt-5-mini").id in [model.id for model in client.models.list()]


def test_the_openai_client_retries_a_refusal_and_a_lost_answer(
    provider: Provider, client: openai.OpenAI
) -> None:
    provider.simulator.behave(
        {"kind": "status", "status": 429, "retry_after": 0.01, "times": 1},
        {"kind": "drop", "when": "after", "times": 1},
    )
    client.chat.completions.create(**chat("Hi"))

    calls = provider.simulator.calls()
    assert [call["status"] for call in calls] == [429, None, 200]
    assert provider.simulator.paid() == {digest(chat("Hi")): 2}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_the_openai_client_tells_the_refusals_apart(
    client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as refused:
        client.with_options(max_retries=0).chat.completions.create(**chat(f"[[fail:{status}]]"))

    assert refused.value.request_id
    assert refused.value.type
