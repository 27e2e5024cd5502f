"""The provider simulator: its answers, its files and its log."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import Json, Provider, chat


def text_of(answer: httpx.Response) -> str:
    text: str = answer.raise_for_status().json()["choices"][0]["message"]["content"]
    return text


def error_of(answer: httpx.Response) -> Json:
    error: Json = answer.json()["error"]
    return error


def test_a_digest_does_not_depend_on_the_model_the_form_or_the_order_of_keys() -> None:
    asked = {"messages": [{"role": "user", "content": "Hé"}], "temperature": 0.5}
    reordered = {"temperature": 0.5, "messages": [{"content": "Hé", "role": "user"}]}
    formed = {**reordered, "model": "m", "stream": True, "stream_options": {"include_usage": True}}

    assert digest(asked) == digest(formed)


def test_a_digest_depends_on_all_that_was_asked() -> None:
    asked = [chat("Hi"), chat("Hi!"), chat("Hi", temperature=0), chat("Hi", n=2)]

    assert len({digest(body) for body in asked}) == len(asked)


def test_an_answer_carries_the_digest_of_its_request(provider: Provider) -> None:
    body = chat("What is a batch?")

    assert text_of(provider.ask(body)).endswith(f"[sim {digest(body)}]")
    assert text_of(provider.ask({**body, "model": "another"})) == text_of(provider.ask(body))


def test_the_answering_model_has_a_dated_name(provider: Provider) -> None:
    assert provider.ask(chat("Hi")).json()["model"] == "gpt-5-mini-2026-01-01"


def test_usage_counts_the_words_of_prompt_and_answer(provider: Provider) -> None:
    answer = provider.ask(chat("one two three", max_tokens=2)).json()

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["usage"]["total_tokens"] == 7


def test_a_prompt_chooses_the_length_of_its_answer(provider: Provider) -> None:
    assert len(text_of(provider.ask(chat("Write [[long:300]]"))).split()) == 300


@pytest.mark.parametrize(
    ("instructions", "text", "answer"),
    [
        ("Classify the review as positive, negative or neutral.", "I love it.", "positive"),
        ("Sort the ticket into billing, delivery or other. Label:", "A delivery!", "delivery"),
        ("Extract names and amounts.", "Ada Lovelace paid $12.50.", "Found: Ada Lovelace; $12.50"),
        ("Rewrite this politely.", "send it now. Or else.", "Send it now."),
    ],
)
def test_an_answer_reads_sensibly(
    provider: Provider, instructions: str, text: str, answer: str
) -> None:
    body = chat(text)
    body["messages"].insert(0, {"role": "system", "content": instructions})

    assert text_of(provider.ask(body)) == f"{answer} [sim {digest(body)}]"


def test_an_answer_in_json_has_the_properties_of_its_schema(provider: Provider) -> None:
    properties = {"label": {"enum": ["a"]}, "count": {"type": "integer"}, "why": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    body = chat("Hi", response_format=form)

    answer = json.loads(text_of(provider.ask(body)))

    assert answer.keys() == {"label", "count", "why", "sim"}
    assert (answer["label"], answer["count"]) == ("a", 1)
    assert answer["sim"] == f"[sim {digest(body)}]"


def test_a_stream_adds_up_to_the_plain_answer(provider: Provider) -> None:
    body = chat("Stream this, please.", n=2)
    plain = provider.ask(body).json()
    streamed = provider.ask({**body, "stream": True, "stream_options": {"include_usage": True}})

    *events, done = re.findall(r"data: (.*)\n\n", streamed.text)
    chunks = [json.loads(event) for event in events]
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content", "")

    assert done == "[DONE]"
    assert texts == [choice["message"]["content"] for choice in plain["choices"]]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plain["usage"]


def test_a_stream_without_usage_has_no_usage_key(provider: Provider) -> None:
    assert "usage" not in provider.ask(chat("Hi", stream=True)).text


def test_an_embedding_is_the_same_as_floats_and_as_base64(simulator: SimulatorClient) -> None:
    with openai.OpenAI(base_url=simulator.base_url, api_key="sk-test") as client:
        texts = ["one text", "one text", "another"]
        decoded = client.embeddings.create(model="text-embedding-3-small", input=texts)
        floats = client.embeddings.create(
            model="text-embedding-3-small", input=texts, encoding_format="float"
        )

    vectors = [row.embedding for row in decoded.data]
    assert vectors == [row.embedding for row in floats.data]
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert vectors[0] != vectors[1]
    assert decoded.usage.prompt_tokens == 5


def test_tokens_are_embedded_as_one_input(provider: Provider) -> None:
    body = {"model": "m", "input": [1, 2, 3], "dimensions": 2}
    answer = provider.http.post("/embeddings", json=body).json()

    assert [len(row["embedding"]) for row in answer["data"]] == [2]
    assert answer["usage"]["total_tokens"] == 3


@pytest.mark.parametrize(
    ("path", "field"),
    [("/completions", "prompt"), ("/responses", "input"), ("/moderations", "input")],
)
def test_other_endpoints_answer_with_the_digest_of_their_request(
    provider: Provider, path: str, field: str
) -> None:
    body = {"model": "m", field: "Some text"}

    assert digest(body) in provider.http.post(path, json=body).raise_for_status().text


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "context_length_exceeded"), (429, "rate_limit_exceeded"), (500, None)],
)
def test_a_prompt_can_ask_for_a_failure(provider: Provider, status: int, code: str | None) -> None:
    answer = provider.ask(chat(f"Please [[fail:{status}]]"))

    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert ("retry-after" in answer.headers) is (status == 429)


def test_a_failure_that_was_asked_for_twice_ends_with_the_third_attempt(
    provider: Provider,
) -> None:
    body = chat("Please [[fail:500:2]]")
    statuses = [provider.ask(body).status_code for _ in range(4)]

    assert statuses == [500, 500, 200, 200]
    assert provider.simulator.attempts() == {digest(body): 4}
    assert provider.simulator.paid() == {digest(body): 2}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"messages": [{"role": "user"}]}, "model", "missing_required_parameter"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": []}, "messages", "invalid_value"),
        ({"model": "m", "messages": "Hi"}, "messages", "invalid_type"),
        ({"model": 1, "messages": [{}]}, "model", "invalid_type"),
        (chat("Hi", n=0), "n", "invalid_value"),
    ],
)
def test_a_wrong_request_is_refused_with_its_parameter(
    provider: Provider, body: Json, param: str, code: str
) -> None:
    answer = provider.ask(body)

    assert answer.status_code == 400
    assert (error_of(answer)["param"], error_of(answer)["code"]) == (param, code)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(provider: Provider, content: bytes) -> None:
    assert provider.http.post("/chat/completions", content=content).status_code == 400


def test_a_call_without_a_key_is_refused(simulator: SimulatorClient) -> None:
    answer = httpx.get(f"{simulator.base_url}/models", trust_env=False)

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "invalid_api_key"


def test_every_answer_tells_its_request_id_and_its_time(provider: Provider) -> None:
    first, second = provider.http.get("/models"), provider.http.get("/nothing")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert int(first.headers["openai-processing-ms"]) >= 0
    assert second.status_code == 404
    assert "/nothing" in error_of(second)["message"]


def test_paths_work_with_and_without_the_prefix(provider: Provider) -> None:
    for base in (provider.simulator.url, provider.simulator.base_url):
        assert provider.http.get(f"{base}/models").json()["data"]


def test_a_file_comes_back_as_it_was_sent(provider: Provider) -> None:
    content = b'{"a": 1}\r\n' + bytes(range(256)) * 4096
    file = provider.upload(content).json()

    assert (file["bytes"], file["filename"]) == (len(content), "in.jsonl")
    assert file["expires_at"] == file["created_at"] + 30 * 24 * 3600
    assert provider.content(file["id"]) == content


def test_a_range_of_a_file_can_be_read(provider: Provider) -> None:
    file_id = provider.upload(b"123456789").json()["id"]
    answer = provider.http.get(f"/files/{file_id}/content", headers={"range": "bytes=2-5"})

    assert (answer.status_code, answer.content) == (206, b"3456")


def test_a_deleted_file_is_unknown(provider: Provider) -> None:
    file_id = provider.upload(b"{}").json()["id"]

    assert provider.http.delete(f"/files/{file_id}").json()["deleted"] is True
    for answer in (
        provider.http.get(f"/files/{file_id}"),
        provider.http.get(f"/files/{file_id}/content"),
        provider.http.delete(f"/files/{file_id}"),
    ):
        assert answer.status_code == 404
        assert error_of(answer)["message"] == f"No such File object: {file_id}"


def test_a_file_can_expire_when_its_sender_wants(provider: Provider) -> None:
    form = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = provider.upload(b"{}", **form).json()

    assert file["expires_at"] == file["created_at"] + 3600


@pytest.mark.parametrize(
    ("content", "name", "form", "param"),
    [
        (b"{}", "in.jsonl", {"purpose": "answers"}, "purpose"),
        (b"{}", "in.jsonl", {"custom_llm_provider": "openai"}, "custom_llm_provider"),
        (b"{}", "in.jsonl", {"expires_after[seconds]": "3600"}, "expires_after.anchor"),
        (
            b"{}",
            "in.jsonl",
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "1"},
            "expires_after.seconds",
        ),
        (b"{}", "in.txt", {}, None),
        (b"", "in.jsonl", {}, None),
        (b"no JSON\n{}", "in.jsonl", {}, None),
    ],
)
def test_a_wrong_upload_is_refused(
    provider: Provider, content: bytes, name: str, form: dict[str, str], param: str | None
) -> None:
    answer = provider.upload(content, name, **form)

    assert answer.status_code == 400
    assert error_of(answer)["param"] == param
    assert provider.http.get("/files").json()["data"] == []


def test_an_upload_without_purpose_or_without_a_form_is_refused(provider: Provider) -> None:
    without = provider.http.post("/files", files={"file": ("in.jsonl", b"{}")})
    headers = {"content-type": "multipart/form-data; boundary=x"}
    broken = provider.http.post("/files", content=b"--y\r\nno form", headers=headers)

    assert (without.status_code, error_of(without)["param"]) == (400, "purpose")
    assert broken.status_code == 400


def test_files_are_listed_in_pages_and_by_purpose(provider: Provider) -> None:
    ids = [provider.upload(b"{}").json()["id"] for _ in range(3)]
    provider.upload(b"text", "notes.txt", purpose="user_data")

    newest = provider.http.get("/files", params={"purpose": "batch", "limit": 2}).json()
    rest = provider.http.get("/files", params={"purpose": "batch", "after": ids[1]}).json()
    oldest = provider.http.get("/files", params={"order": "asc", "limit": 1}).json()

    assert [file["id"] for file in newest["data"]] == [ids[2], ids[1]]
    assert (newest["has_more"], newest["last_id"]) == (True, ids[1])
    assert [file["id"] for file in rest["data"]] == [ids[0]]
    assert rest["has_more"] is False
    assert oldest["first_id"] == ids[0]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=10001", "order=up", "after=no"])
def test_a_wrong_list_query_is_refused(provider: Provider, query: str) -> None:
    assert provider.http.get(f"/files?{query}").status_code == 400


def test_the_log_has_every_call(provider: Provider) -> None:
    body = chat("Log this", metadata={"tag": "t"})
    provider.ask(body)
    provider.http.get("/files?limit=0")
    asked, listed = provider.simulator.calls()

    assert (asked["n"], asked["method"], asked["path"]) == (1, "POST", "/chat/completions")
    assert (asked["key"], asked["model"], asked["status"]) == ("abcd", "gpt-5-mini", 200)
    assert (asked["digest"], asked["metadata"]) == (digest(body), {"tag": "t"})
    assert asked["bytes"] > 0
    assert (asked["finished"], asked["disconnected"]) == (True, False)
    assert (listed["query"], listed["status"]) == ("limit=0", 400)


def test_the_log_is_filtered_and_cleared(provider: Provider) -> None:
    provider.upload(b"{}")
    provider.ask(chat("Hi"))
    simulator = provider.simulator

    assert len(simulator.calls(path="/files", method="POST")) == 1
    assert len(simulator.calls(path="/chat/*", status="200", fault="null")) == 1
    assert simulator.calls(model="gpt-4*") == []
    simulator.clear_log()
    assert simulator.calls() == []


def test_the_log_refuses_a_field_that_calls_do_not_have(simulator: SimulatorClient) -> None:
    answer = httpx.get(f"{simulator.url}/_log?colour=red", trust_env=False)

    assert answer.status_code == 400
    assert "colour" in error_of(answer)["message"]


def test_an_upload_that_breaks_off_leaves_no_file(provider: Provider) -> None:
    address = httpx.URL(provider.simulator.url)
    head = (
        "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: 9999\r\n"
        "content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    with socket.create_connection((address.host, address.port)) as client:
        client.sendall(head.encode())
        provider.simulator.until_logged(path="/files")
    provider.simulator.until_logged(disconnected="true", finished="true")

    assert provider.http.get("/files").json()["data"] == []


@dataclass(frozen=True)
class Program:
    simulator: SimulatorClient
    process_id: int
    folder: Path
    log_file: Path

    def peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@contextmanager
def running_program(folder: Path) -> Iterator[Program]:
    """`python -m local.simulator` on a free port, with a folder of its own for temporary files."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    temporary, log_file = folder / "temporary", folder / "calls.jsonl"
    temporary.mkdir()
    command = [sys.executable, "-m", "local.simulator", "--port", port, "--log-file", str(log_file)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with (
        subprocess.Popen(command, env=environment) as process,
        SimulatorClient(f"http://127.0.0.1:{port}") as simulator,
    ):
        try:
            simulator.until_healthy()
            yield Program(simulator, process.pid, temporary, log_file)
        finally:
            process.terminate()


def test_the_simulator_runs_as_a_program_and_leaves_nothing_but_its_log(tmp_path: Path) -> None:
    body = {"model": "m", "input": "text"}
    headers = {"authorization": "Bearer sk-test"}
    with running_program(tmp_path) as program:
        httpx.post(f"{program.simulator.base_url}/moderations", json=body, headers=headers)
        assert list(program.folder.iterdir())

    assert list(program.folder.iterdir()) == []
    (logged,) = program.log_file.read_text().splitlines()
    assert json.loads(logged)["digest"] == digest(body)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_large_upload_and_its_download_are_not_held_in_memory(tmp_path: Path) -> None:
    size, most = 100_000_000, 25_000_000
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(size)

    with running_program(tmp_path) as program, large.open("rb") as content:
        headers = {"authorization": "Bearer sk-test"}
        with httpx.Client(base_url=program.simulator.base_url, headers=headers) as http:
            http.get("/models")
            before = program.peak_bytes()
            form = {"purpose": "user_data"}
            file_object = http.post("/files", data=form, files={"file": content}, timeout=60).json()
            with http.stream("GET", f"/files/{file_object['id']}/content") as answer:
                received = sum(len(piece) for piece in answer.iter_bytes())
        grown = program.peak_bytes() - before

    assert (file_object["bytes"], received) == (size, size)
    assert grown < most
