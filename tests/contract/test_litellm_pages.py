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

from tests.contract.calls import BATCH, upload_file
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.simulated import as_jsonl, line
from tests.template import Json

AUTHORIZATION = ["-H", f"Authorization: Bearer {MASTER_KEY}"]
JSON = ["-H", "Content-Type: application/json"]
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

    def look(_function: str = "") -> None:
        counts = http.get(f"/batches/{batch_id}").json()["request_counts"]
        looks.append((counts["completed"] + counts["failed"], counts["total"]))

    life.before = look
    life.run("admin", batch_id)
    look()

    assert looks == sorted(looks)
    assert looks[-1] == (5, 5)


def test_chats_and_embeddings_in_one_file_are_refused_line_by_line(
    http: httpx.Client, life: Life
) -> None:
    """A batch has one endpoint: the page's mixed file names the lines that do not fit."""
    embedding = {"model": "text-embedding-3-small", "input": "Text to embed"}
    mixed = [line(1), line(2, embedding, url="/v1/embeddings")]
    file_id = upload_file(http, as_jsonl(mixed))
    batch_id = http.post("/batches", json={"input_file_id": file_id, **BATCH}).json()["id"]

    life.run("admin", batch_id)

    batch = http.get(f"/batches/{batch_id}").json()
    assert batch["status"] == "failed"
    assert [(each["code"], each["line"]) for each in batch["errors"]["data"]] == [
        ("invalid_url", 2)
    ]


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
