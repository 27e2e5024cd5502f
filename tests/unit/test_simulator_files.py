"""The provider simulator: its files, its log, and itself as a program."""

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
import pytest

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.simulated import Provider, chat, error_of


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
