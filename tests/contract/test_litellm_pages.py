"""What LiteLLM's pages on batches show over HTTP works here unchanged: the curl lines of its Batches API
page, the client at the end of its batching page, and LiteLLM's hints wherever its SDK puts them.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from nightmail import wiring

from local.simulator.client import SimulatorClient
from tests.contract.calls import BATCH, create_batch, look, results, upload_file
from tests.contract.conftest import (
    CLAUDE_IN_BULK,
    INPUT_PRICE,
    MASTER_KEY,
    OUTPUT_PRICE,
    PRICED,
)
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.simulated import as_jsonl, line
from tests.template import Json

AUTHORIZATION = ["-H", f"Authorization: Bearer {MASTER_KEY}"]
JSON = ["-H", "Content-Type: application/json"]
MIXED = [
    {
        "custom_id": "chat-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]},
    },
    {
        "custom_id": "embed-1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "text-embedding-3-small", "input": "Text to embed"},
    },
]
PRICED_CHAT = {"model": PRICED, "messages": [{"role": "user", "content": "Hello"}]}
HINTED = line(1, {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]})


def curl(server: GatewayServer, path: str, *options: str) -> Json:
    """Run curl on a path of the API as those pages do; answers the JSON."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", f"{server.url}{path}"]
    done = subprocess.run(
        [*command, *AUTHORIZATION, *options], capture_output=True, text=True, check=True
    )
    answer: Json = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_the_curl_lines(server: GatewayServer, life: Life, tmp_path: Path, prefix: str) -> None:
    (tmp_path / "mydata.jsonl").write_bytes(as_jsonl([line(1)]))

    file = curl(
        server, f"{prefix}/files", "-F", "purpose=batch", "-F", f"file=@{tmp_path}/mydata.jsonl"
    )
    assert (file["filename"], file["purpose"]) == ("mydata.jsonl", "batch")

    body = json.dumps({"input_file_id": file["id"], **BATCH})
    batch = curl(server, f"{prefix}/batches", *JSON, "-d", body)
    assert batch["status"] == "validating"

    life.run("admin", batch["id"])
    assert curl(server, f"{prefix}/batches/{batch['id']}", *JSON)["status"] == "completed"
    assert [each["id"] for each in curl(server, f"{prefix}/batches", *JSON)["data"]] == [
        batch["id"]
    ]


def test_the_client_whose_base_url_has_no_version(server: GatewayServer) -> None:
    with openai.OpenAI(api_key=MASTER_KEY, base_url=server.url) as client:
        batch = client.batches.create(
            input_file_id="file-abc123", endpoint="/v1/chat/completions", completion_window="24h"
        )

    assert batch.input_file_id == "file-abc123"


def test_progress_is_followed_as_the_page_does(http: httpx.Client, life: Life) -> None:
    """(completed + failed) / total, at every look, never goes back."""
    file_id = upload_file(http, as_jsonl([line(number) for number in range(1, 6)]))
    batch_id = http.post("/batches", json={"input_file_id": file_id, **BATCH}).json()["id"]
    looks: list[tuple[int, int]] = []

    def note(_function: str = "") -> None:
        counts = http.get(f"/batches/{batch_id}").json()["request_counts"]
        looks.append((counts["completed"] + counts["failed"], counts["total"]))

    life.before = note
    life.run("admin", batch_id)
    note()

    assert looks == sorted(looks)
    assert looks[-1] == (5, 5)


def run_batch(http: httpx.Client, life: Life, batch_id: str) -> Json:
    """The batch at its end."""
    life.run("admin", batch_id)
    return look(http, batch_id)


def test_chats_and_embeddings_in_one_file_are_answered(http: httpx.Client, life: Life) -> None:
    batch_id = create_batch(http, as_jsonl(MIXED))

    batch = run_batch(http, life, batch_id)

    assert (batch["status"], batch["error_file_id"]) == ("completed", None)
    chat, embedding = results(http, batch["output_file_id"])
    assert [chat["custom_id"], embedding["custom_id"]] == ["chat-1", "embed-1"]
    assert chat["response"]["body"]["object"] == "chat.completion"
    assert "Hello" in chat["response"]["body"]["choices"][0]["message"]["content"]
    assert embedding["response"]["body"]["object"] == "list"
    assert embedding["response"]["body"]["data"][0]["embedding"]


def test_a_strict_batch_has_one_endpoint_as_at_openai(http: httpx.Client, life: Life) -> None:
    batch_id = create_batch(http, as_jsonl(MIXED), nightmail={"strict": True})

    batch = run_batch(http, life, batch_id)

    assert batch["status"] == "failed"
    assert [(each["code"], each["line"]) for each in batch["errors"]["data"]] == [
        ("invalid_url", 2)
    ]


@pytest.mark.of("anthropic")
def test_many_prompts_to_a_claude_of_batches_are_one_of_anthropics_batches(
    http: httpx.Client, life: Life, simulator: SimulatorClient
) -> None:
    texts = ["Analyze this text...", "Summarize this...", "Translate this..."]
    messages = [[{"role": "user", "content": text}] for text in texts]

    created = http.post("/batch_completion", json={"model": CLAUDE_IN_BULK, "messages": messages})
    batch = run_batch(http, life, created.raise_for_status().json()["id"])

    assert batch["status"] == "completed"
    answers = [each["response"]["body"] for each in results(http, batch["output_file_id"])]
    for text, answer in zip(texts, answers, strict=True):
        assert text in answer["choices"][0]["message"]["content"]
        assert answer["model"] == CLAUDE_IN_BULK
    (shard,) = batch["nightmail"]["shards"]
    (made,) = simulator.batches()
    assert (made["provider"], made["id"]) == ("anthropic", shard["provider_batch_id"])
    assert simulator.calls(path="/messages") == []


def test_what_a_batch_cost_stands_in_it_beside_what_it_would_have_cost(
    http: httpx.Client, life: Life
) -> None:
    """The page's arithmetic, by the real figures: half the price in a batch."""
    batch_id = create_batch(http, as_jsonl([line(1, PRICED_CHAT), line(2, PRICED_CHAT)]))

    details = run_batch(http, life, batch_id)["nightmail"]

    cost, at_once = details["cost"], details["synchronous_cost"]
    (bill,) = details["usage"]
    assert at_once == pytest.approx(
        bill["input_tokens"] * INPUT_PRICE + bill["output_tokens"] * OUTPUT_PRICE
    )
    assert f"{(at_once - cost) / at_once * 100:.0f}%" == "50%"
    assert details["saved"] == pytest.approx(at_once - cost)


HINTS: list[tuple[str, dict[str, Any]]] = [
    ("query", {"params": {"custom_llm_provider": "openai", "model": "gpt-4o"}}),
    ("query, models", {"params": {"target_model_names": "gpt-4o, gpt-4o-mini"}}),
    ("header", {"headers": {"custom-llm-provider": "openai"}}),
    ("header, model", {"headers": {"x-litellm-model": "gpt-4o"}}),
]


@pytest.mark.parametrize("hint", [hint for _, hint in HINTS], ids=[name for name, _ in HINTS])
def test_a_hint_harms_no_request(http: httpx.Client, hint: dict[str, Any]) -> None:
    file = {"file": ("in.jsonl", as_jsonl([HINTED]))}
    file_id = http.post("/files", data={"purpose": "batch"}, files=file, **hint).json()["id"]
    batch = http.post("/batches", json={"input_file_id": file_id, **BATCH}, **hint)
    batch_id = batch.raise_for_status().json()["id"]

    for path in ("/files", f"/files/{file_id}", f"/files/{file_id}/content"):
        http.get(path, **hint).raise_for_status()
    for path in ("/batches", f"/batches/{batch_id}"):
        http.get(path, **hint).raise_for_status()
    http.post(f"/batches/{batch_id}/cancel", **hint).raise_for_status()
    http.delete(f"/files/{file_id}", **hint).raise_for_status()


@pytest.mark.parametrize("name", ["custom_llm_provider", "target_model_names", "model"])
def test_a_hint_in_the_body_harms_no_request(http: httpx.Client, name: str) -> None:
    hint = {name: "openai" if name == "custom_llm_provider" else "gpt-4o"}
    file_id = upload_file(http, as_jsonl([HINTED]), **hint)
    batch = http.post("/batches", json={"input_file_id": file_id, **BATCH, **hint})

    batch_id = batch.raise_for_status().json()["id"]
    cancelled = http.post(f"/batches/{batch_id}/cancel", json=hint)
    assert cancelled.raise_for_status().json()["status"] == "cancelling"


@pytest.mark.parametrize(
    "hint",
    [
        {"json": {"model": "gpt-4o"}},
        {"headers": {"x-litellm-model": "gpt-4o"}},
        {"params": {"model": "gpt-4o"}},
    ],
    ids=["body", "header", "query"],
)
def test_a_models_hint_is_kept_for_the_choice_of_a_deployment(
    http: httpx.Client, hint: dict[str, Any]
) -> None:
    body = {"input_file_id": "file-1", **BATCH, **hint.get("json", {})}
    batch_id = http.post("/batches", **{**hint, "json": body}).raise_for_status().json()["id"]

    assert wiring.batches().get("admin", batch_id).deployment_hint == "gpt-4o"
