"""Batch files for models whose lines the gateway calls itself: what OpenAI's batch API would deliver."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from local.simulator.client import SimulatorClient
from tests.contract.calls import look, results, upload_file
from tests.contract.conftest import BULK, DIRECT
from tests.contract.life import Life
from tests.simulated import as_jsonl
from tests.template import Json

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
ANTHROPIC, COHERE, EMBEDDER = "claude-haiku-4-5", "command-a-03-2025", "embed-v4.0"
SONAR = "perplexity/sonar"
LINES = 12


def line(number: int, url: str, **body: Any) -> Json:
    return {"custom_id": f"mine-{number}", "method": "POST", "url": url, "body": body}


def chat(text: str) -> list[Json]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


class Office:
    """Runs batches as the owner of the master key."""

    def __init__(self, http: httpx.Client, life: Life) -> None:
        self._http = http
        self._life = life

    def run(self, lines: list[Json]) -> Json:
        """The batch at its end."""
        file_id = upload_file(self._http, as_jsonl(lines))
        body = {"input_file_id": file_id, "endpoint": lines[0]["url"], "completion_window": "24h"}
        batch_id = self._http.post("/batches", json=body).raise_for_status().json()["id"]
        self._life.run("admin", batch_id)
        return look(self._http, batch_id)

    def output(self, batch: Json) -> list[Json]:
        return results(self._http, batch["output_file_id"]) if batch["output_file_id"] else []

    def errors(self, batch: Json) -> list[Json]:
        return results(self._http, batch["error_file_id"]) if batch["error_file_id"] else []


@pytest.fixture
def office(http: httpx.Client, life: Life) -> Office:
    return Office(http, life)


@pytest.mark.parametrize("model", [COHERE, SONAR, DIRECT])
def test_chats_are_answered_line_by_line_in_the_order_of_the_input(
    office: Office, client: openai.OpenAI, simulator: SimulatorClient, model: str
) -> None:
    texts = ["[[fail:400]]" if number == 5 else f"Question {number}" for number in range(LINES)]
    lines = [
        line(number, CHAT, model=model, messages=chat(text)) for number, text in enumerate(texts)
    ]

    batch = office.run(lines)

    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": LINES, "completed": LINES - 1, "failed": 1}
    output, (error,) = office.output(batch), office.errors(batch)
    expected = [f"mine-{number}" for number in range(LINES) if number != 5]
    assert [each["custom_id"] for each in output] == expected
    assert (error["custom_id"], error["response"]["status_code"]) == ("mine-5", 400)
    assert error["response"]["body"]["error"]["message"]
    assert max(simulator.attempts().values()) == 1
    assert simulator.batches() == []
    for each in output:
        assert (each["error"], each["response"]["status_code"]) == (None, 200)
        asked = lines[int(each["custom_id"].removeprefix("mine-"))]["body"]
        # The one deployment answers a line as it answers the same request at once.
        at_once = client.chat.completions.create(**asked)
        assert each["response"]["body"]["model"] == model
        assert each["response"]["body"]["choices"] == at_once.to_dict()["choices"]
    usage = [each["response"]["body"]["usage"]["prompt_tokens"] for each in output]
    assert batch["usage"]["input_tokens"] == sum(usage) > 0


@pytest.mark.of("cohere")
def test_embeddings_come_from_a_provider_that_has_no_batches(
    office: Office, client: openai.OpenAI
) -> None:
    lines = [
        line(number, EMBEDDINGS, model=EMBEDDER, input=[f"Text {number}", "Another"])
        for number in range(LINES)
    ]

    batch = office.run(lines)

    assert batch["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
    output = office.output(batch)
    assert [each["custom_id"] for each in output] == [each["custom_id"] for each in lines]
    made = client.embeddings.create(model=EMBEDDER, input=["Text 0", "Another"])
    vectors = [each["embedding"] for each in output[0]["response"]["body"]["data"]]
    assert vectors == [pytest.approx(each.embedding) for each in made.data]


@pytest.mark.parametrize(
    ("model", "url", "body"),
    [
        *(
            (model, url, body)
            for model in (ANTHROPIC, COHERE)
            for url, body in (
                ("/v1/completions", {"prompt": "Hi"}),
                ("/v1/responses", {"input": "Hi"}),
                ("/v1/moderations", {"input": "Hi"}),
            )
        ),
        (ANTHROPIC, EMBEDDINGS, {"input": "Hi"}),
    ],
)
def test_an_endpoint_that_a_provider_has_not_is_an_error_of_every_line(
    office: Office, simulator: SimulatorClient, model: str, *, url: str, body: Json
) -> None:
    batch = office.run([line(number, url, model=model, **body) for number in range(3)])

    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 3, "completed": 0, "failed": 3}
    for error in office.errors(batch):
        told = error["response"]["body"]["error"]["message"]
        assert url in told
    assert simulator.calls() == []


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/responses", {"input": "Hi"}),
        ("/v1/moderations", {"input": "Hi"}),
        (EMBEDDINGS, {"input": "Hi"}),
    ],
)
def test_whoever_speaks_openais_protocol_answers_its_other_endpoints_too(
    office: Office, simulator: SimulatorClient, url: str, body: Json
) -> None:
    batch = office.run([line(number, url, model=DIRECT, **body) for number in range(3)])

    assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}, office.errors(
        batch
    )
    assert len(simulator.calls(path=url.removeprefix("/v1"))) == 3
    assert simulator.batches() == []


def test_a_model_whose_prompts_are_work_in_bulk_answers_a_batch(
    http: httpx.Client, client: openai.OpenAI, simulator: SimulatorClient, life: Life
) -> None:
    prompts = [
        chat("One?"),
        {"messages": chat("Two?"), "custom_id": "second", "temperature": 0.5},
        chat("Three?"),
    ]

    answer = http.post("/batch_completion", json={"model": BULK, "messages": prompts})

    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert simulator.calls() == []
    batch_id = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/batches/{batch_id}"
    life.run("admin", batch_id)
    batch = client.batches.retrieve(batch_id)
    assert batch.status == "completed"
    output = client.files.content(batch.output_file_id or "").text.splitlines()
    told = [json.loads(each) for each in output]
    assert [each["custom_id"] for each in told] == ["request-1", "second", "request-3"]
    assert len(simulator.batches()) == 1
    assert simulator.calls(path="/chat/completions") == []
