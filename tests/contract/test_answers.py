"""Every answer of the API, good and bad, is what OpenAI's clients expect: held against this project's own
schemas, against the document that the API serves, and against OpenAI's published one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from nightmail import wiring
from nightmail.api.openapi import api_document
from nightmail.batch import BatchStatus

from tests.contract.api_gateway import ApiGateway
from tests.contract.calls import (
    BATCH,
    LINES,
    UPLOAD,
    complete_upload,
    create_batch,
    look,
    results,
    upload_file,
)
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.contract.oracles import (
    RELAXED,
    SPECS,
    OpenApiDocument,
    Oracle,
    OwnShapes,
    check_exchanges,
    openai_document,
)
from tests.template import Json

ORACLES: dict[str, Callable[[], Oracle]] = {
    "our schemas": OwnShapes,
    "our document": lambda: OpenApiDocument(api_document("/v1"), "Error"),
}
if (SPECS / RELAXED).is_file():
    ORACLES["OpenAI's document"] = lambda: openai_document(RELAXED)

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def said(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]


CHAT = {"model": "gpt-4o", "messages": said("Hi")}
EMBEDDINGS = {"model": "text-embedding-3-small", "input": "Hi", "encoding_format": "float"}


@pytest.fixture(params=ORACLES)
def oracle(request: pytest.FixtureRequest) -> Oracle:
    return ORACLES[request.param]()


@pytest.fixture(autouse=True)
def _every_answer_is_checked(gateway: ApiGateway, oracle: Oracle) -> Iterator[None]:
    yield
    check_exchanges(oracle, gateway.exchanges)


def test_files(http: httpx.Client) -> None:
    http.get("/files").raise_for_status()
    expiry = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file_id = upload_file(http, b"{}", **expiry)
    upload_file(http, b"{}", purpose="assistants")
    assert len(http.get("/files").json()["data"]) == 2
    http.get(f"/files/{file_id}").raise_for_status()
    http.get(f"/files/{file_id}/content").raise_for_status()
    http.delete(f"/files/{file_id}").raise_for_status()


def test_uploads(http: httpx.Client) -> None:
    complete_upload(http)
    upload_id = http.post("/uploads", json=UPLOAD).json()["id"]
    http.get(f"/uploads/{upload_id}/urls").raise_for_status()
    http.post(f"/uploads/{upload_id}/cancel").raise_for_status()


def test_models(http: httpx.Client) -> None:
    assert http.get("/models").json()["data"]
    http.get("/models/gpt-4o").raise_for_status()
    http.get("/models/openai/gpt-4.1").raise_for_status()


def test_chat_and_embeddings(http: httpx.Client) -> None:
    for more in ({}, {"n": 2}, {"messages": said("[[filter]]")}):
        http.post("/chat/completions", json={**CHAT, **more}).raise_for_status()
    http.post("/embeddings", json=EMBEDDINGS).raise_for_status()


def test_many_prompts_and_many_models(http: httpx.Client) -> None:
    prompts = {"model": "gpt-4o", "messages": [said("Hi"), said("[[fail:400]]")]}
    models = {"models": ["gpt-4o", "nobody-knows"], "messages": said("Hi")}
    http.post("/batch_completion", json=prompts).raise_for_status()
    accepted = http.post("/batch_completion", json=prompts, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    http.post("/batch_completion_models", json=models).raise_for_status()
    http.post("/batch_completion_models_all_responses", json=models).raise_for_status()


def test_what_openais_document_cannot_check(http: httpx.Client, gateway: ApiGateway) -> None:
    """Several models or prompts in a chat request are an extension: their answers are arrays. It has
    no base64 vectors, and what tells its kinds of tool calls apart names schemas that it has not.
    """
    base64 = {**EMBEDDINGS, "encoding_format": "base64"}
    assert http.post("/embeddings", json=base64).raise_for_status()
    tools = {**CHAT, "tools": TOOLS, "messages": said("[[tool]]")}
    assert http.post("/chat/completions", json=tools).raise_for_status()
    several = {**CHAT, "model": "gpt-4o, nobody-knows"}
    grid = {"model": ["gpt-4o", "gpt-4o-mini"], "messages": [said("Hi"), said("[[fail:400]]")]}
    assert len(http.post("/chat/completions", json=several).raise_for_status().json()) == 2
    assert len(http.post("/chat/completions", json=grid).raise_for_status().json()) == 2
    exchanges = list(gateway.exchanges)
    gateway.exchanges.clear()
    http.get("/models").raise_for_status()
    check_exchanges(OwnShapes(), exchanges)
    check_exchanges(OpenApiDocument(api_document("/v1"), "Error"), exchanges)


def test_an_error_of_a_provider_and_a_race_that_nobody_won(http: httpx.Client) -> None:
    failing = {**CHAT, "messages": said("[[fail:500]]")}
    assert http.post("/chat/completions", json=failing).status_code == 502
    race = {"models": ["gpt-4o", "gpt-4o-mini"], "messages": said("[[fail:400]]")}
    assert http.post("/batch_completion_models", json=race).status_code == 400


def test_a_batch_in_each_state_of_its_life(http: httpx.Client, life: Life) -> None:
    http.get("/batches").raise_for_status()
    batch_id = create_batch(http, metadata={"customer": "7"})
    seen = {look(http, batch_id)["status"]}
    life.before = lambda _function: seen.add(look(http, batch_id)["status"])

    life.run("admin", batch_id)

    assert seen | {look(http, batch_id)["status"]} == {"validating", "in_progress", "completed"}
    assert len(http.get("/batches").json()["data"]) == 1


def test_a_batch_that_is_finalizing(http: httpx.Client) -> None:
    batch_id = create_batch(http)
    batch = wiring.batches().get("admin", batch_id)
    for status in (BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING):
        batch = wiring.batches().save(batch.move_to(status, wiring.now()))

    assert look(http, batch_id)["status"] == "finalizing"


@pytest.mark.parametrize("content", [b'{"custom_id": 1}\n[]\n', None], ids=["bad lines", "no file"])
def test_a_batch_that_failed(http: httpx.Client, life: Life, content: bytes | None) -> None:
    fields = {} if content else {"input_file_id": "file-nobody-knows"}
    batch_id = create_batch(http, content, **fields)

    life.run("admin", batch_id)

    failed = look(http, batch_id)
    assert failed["status"] == "failed"
    assert failed["errors"]["data"]


def test_a_batch_that_is_cancelled(http: httpx.Client, life: Life) -> None:
    batch_id = create_batch(http)
    cancelled: list[Json] = []

    def cancel(function: str) -> None:
        if function == "poll_shard":
            answer = http.post(f"/batches/{batch_id}/cancel").raise_for_status()
            cancelled.append(answer.json())

    life.before = cancel
    life.run("admin", batch_id)

    assert cancelled[0]["status"] == "cancelling"
    assert look(http, batch_id)["status"] == "cancelled"


def test_a_batch_that_expired(
    http: httpx.Client, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = create_batch(http)
    tomorrow = wiring.now() + 25 * 3600

    def let_a_day_pass(function: str) -> None:
        if function == "submit_shard":
            monkeypatch.setattr(wiring, "now", lambda: tomorrow)

    life.before = let_a_day_pass
    life.run("admin", batch_id)

    expired = look(http, batch_id)
    assert expired["status"] == "expired"
    codes = [each["error"]["code"] for each in results(http, expired["error_file_id"])]
    assert codes == ["batch_expired"] * len(LINES)


def test_result_lines(http: httpx.Client, life: Life) -> None:
    batch_id = create_batch(http)
    life.run("admin", batch_id)
    batch = look(http, batch_id)

    for each in results(http, batch["output_file_id"]):
        OwnShapes().check_line("output_line", each)
    for each in results(http, batch["error_file_id"]):
        OwnShapes().check_line("error_line", each)


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (400, "POST", "/files", None),
        (404, "GET", "/files/file-nobody-knows", None),
        (404, "DELETE", "/files/file-nobody-knows", None),
        (404, "GET", "/files/file-nobody-knows/content", None),
        (400, "GET", "/files?limit=0", None),
        (400, "GET", "/files?order=up", None),
        (400, "POST", "/uploads", {}),
        (400, "POST", "/uploads", {**UPLOAD, "purpose": "fun"}),
        (404, "POST", "/uploads/upload_1/parts", None),
        (404, "POST", "/uploads/upload_1/complete", {"part_ids": ["part_1"]}),
        (404, "POST", "/uploads/upload_1/cancel", None),
        (404, "GET", "/uploads/upload_1/urls", None),
        (400, "POST", "/batches", None),
        (400, "POST", "/batches", {}),
        (400, "POST", "/batches", {"input_file_id": "file-1", **BATCH, "endpoint": "/v1/x"}),
        (400, "POST", "/batches", {"input_file_id": "file-1", **BATCH, "metadata": {"a": []}}),
        (404, "GET", "/batches/batch_1", None),
        (404, "POST", "/batches/batch_1/cancel", None),
        (400, "GET", "/batches?limit=101", None),
        (404, "GET", "/models/nobody-knows", None),
        (
            404,
            "POST",
            "/chat/completions",
            {"model": "nobody-knows", "messages": [{"role": "user"}]},
        ),
        (400, "POST", "/chat/completions", {"model": "gpt-4o"}),
        (400, "POST", "/embeddings", {"model": "gpt-4o"}),
        (400, "POST", "/batch_completion", {"model": "gpt-4o", "messages": []}),
        (400, "POST", "/batch_completion_models", {"models": []}),
        (400, "POST", "/batch_completion_models_all_responses", {"models": 7}),
        (404, "GET", "/nowhere", None),
        (404, "PATCH", "/files", None),
    ],
)
def test_a_refusal(http: httpx.Client, status: int, method: str, path: str, body: Any) -> None:
    files = {"data": b"x"} if path.endswith("/parts") else None
    assert http.request(method, path, json=body, files=files).status_code == status


def test_a_file_is_refused_by_the_field_that_is_wrong(http: httpx.Client) -> None:
    file = {"file": ("in.jsonl", b"{}")}
    answers = [
        http.post("/files", files=file),
        http.post("/files", files=file, data={"purpose": "fun"}),
        http.post("/files", files={"file": ("in.txt", b"{}")}, data={"purpose": "batch"}),
        http.post("/files", files={"file": ("in.jsonl", b"")}, data={"purpose": "batch"}),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert [answer.json()["error"]["param"] for answer in answers] == [
        "purpose",
        "purpose",
        "file",
        "file",
    ]


def test_no_key_a_wrong_key_and_a_malformed_key(server: GatewayServer) -> None:
    for headers in ({}, {"authorization": "Bearer sk-wrong"}, {"authorization": "sk-1234"}):
        with httpx.Client(trust_env=False) as nobody:
            answer = nobody.get(f"{server.url}/v1/files", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("megabytes", [5, 9])
def test_a_file_too_big_for_one_request(http: httpx.Client, megabytes: int) -> None:
    """Below 10 MB the function or the size of Lambda's event refuses it."""
    content = b"{}" + b" " * megabytes * 1024 * 1024
    answer = http.post("/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", content)})

    assert answer.status_code == 413
    assert "/uploads" in answer.json()["error"]["message"]


def test_a_final_batch_is_not_cancelled(http: httpx.Client, life: Life) -> None:
    batch_id = create_batch(http)
    life.run("admin", batch_id)
    answer = http.post(f"/batches/{batch_id}/cancel")

    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"


def test_a_crash_says_nothing_of_the_inside(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "now", lambda: "no number")
    answer = http.post("/batches", json={"input_file_id": "file-1", **BATCH})

    assert answer.status_code == 500
    assert "number" not in answer.text
