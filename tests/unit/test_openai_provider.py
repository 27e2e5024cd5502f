"""What of OpenAI's batches no other provider's batches share: files, tags, organizations."""

from __future__ import annotations

import logging
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from nightmail.providers import native_http, native_lists
from nightmail.providers.base import BatchProvider, Cursor, ShardInput, Tag
from nightmail.providers.registry import open_provider

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.native.cases import (
    BATCH_ID,
    TAG,
    Told,
    a_line_id,
    as_jsonl,
    intent,
    number_of,
    numbers_of,
)
from tests.unit.native.openai_samples import OPENAI


def at(simulator: SimulatorClient, **more: Any) -> BatchProvider:
    return open_provider(OPENAI.deployment(api_base=simulator.base_url, **more), KEY)


# ---- Sending


def test_a_batch_is_made_of_an_uploaded_file_and_carries_its_tag(
    simulator: SimulatorClient,
) -> None:
    provider, content = at(simulator), OPENAI.shard_input()
    prepared = provider.prepare(content, TAG)
    identity = provider.submit(prepared, content, CHAT, Tag(BATCH_ID, 2, round=1, attempt=3))
    (batch,) = simulator.batches()
    assert (batch["id"], batch["input_file_id"]) == (identity, prepared)
    assert batch["metadata"] == {
        "nightmail_batch": BATCH_ID,
        "nightmail_shard": "2",
        "nightmail_round": "1",
        "nightmail_attempt": "3",
    }


def test_an_upload_is_a_form_that_names_its_length() -> None:
    provider, script = OPENAI.scripted(httpx.Response(200, json={"id": "file-1"}))
    content = ShardInput(lambda: [b"a", b"bc"], 3, 1)
    assert provider.prepare(content, Tag("batch_1", 1)) == "file-1"
    (request,) = script.requests
    assert request.headers["content-length"] == str(len(request.content))
    assert "transfer-encoding" not in request.headers
    assert b'filename="batch_1-1.jsonl"' in request.content
    assert b"\r\n\r\nabc\r\n--" in request.content


def test_a_submission_is_small_whatever_the_shard() -> None:
    provider, script = OPENAI.scripted(httpx.Response(200, json={"id": "batch-1"}))
    provider.submit("file-1", OPENAI.shard_input(1000), CHAT, TAG)
    assert len(script.requests[0].content) < 1000


# ---- Finding


def test_a_batch_is_found_by_its_tag_among_many(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_lists, "PAGE", 2)
    provider, content = at(simulator), OPENAI.shard_input()
    prepared = provider.prepare(content, TAG)
    wanted = provider.submit(prepared, content, CHAT, TAG)
    others = [
        Tag(BATCH_ID, 3, 1),
        Tag(BATCH_ID, 2),
        Tag(BATCH_ID, 2, 2),
        Tag(BATCH_ID, 2, 1, attempt=1),
        Tag("batch_other", 2, 1),
    ]
    for other in others * 2:
        provider.submit(prepared, content, CHAT, other)
    assert provider.find(intent(prepared, since=0)) == [wanted]
    assert provider.find(intent(prepared, since=0, tag=Tag("batch_third", 2, 1))) == []


def test_the_next_page_begins_behind_the_last_batch() -> None:
    first = OPENAI.page(Told(identity="first", tag=Tag("batch_other", 1)), has_more=True)
    provider, script = OPENAI.scripted(first, OPENAI.page())
    provider.find(intent())
    assert dict(script.requests[1].url.params) == {"limit": "100", "after": "first"}


@pytest.mark.parametrize("metadata", [None, {}])
def test_a_provider_without_metadata_finds_a_batch_by_its_file(
    metadata: dict[str, str] | None,
) -> None:
    told = {"file-other": Told(identity="other"), "file-ours": Told(identity="ours")}
    entries = [
        OPENAI.batch(batch) | {"input_file_id": file, "metadata": metadata}
        for file, batch in told.items()
    ]
    provider, _ = OPENAI.scripted(httpx.Response(200, json={"data": entries}))
    assert provider.find(intent("file-ours")) == ["ours"]


# ---- Results


def test_answers_and_errors_lie_in_two_files(simulator: SimulatorClient) -> None:
    provider = at(simulator)
    words = ["Hi", "[[fail:400]]", "Hello"]
    bodies = [{"messages": [{"role": "user", "content": word}]} for word in words]
    lines = [
        OPENAI.format().to_line(OPENAI.line(number, body), a_line_id(number))
        for number, body in enumerate(bodies, 1)
    ]
    content = ShardInput(lambda: lines, sum(map(len, lines)), 3)
    identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    simulator.until_final(identity)
    progress = provider.poll(identity)
    assert len(progress.output_ids) == 2
    whole = list(provider.results(progress.output_ids, "m", Cursor(), number_of))
    assert sorted(number or 0 for number in numbers_of(whole)) == [1, 2, 3]
    for read_before, result in enumerate(whole, 1):
        rest = list(provider.results(progress.output_ids, "m", result.behind, number_of))
        assert rest == whole[read_before:]


def test_success_is_told_by_the_line_whichever_file_it_lies_in() -> None:
    answered = OPENAI.answered(a_line_id(1), OPENAI.direct.plain)
    refused = OPENAI.refused(a_line_id(2), 429, "Slowly.")
    provider, _ = OPENAI.scripted(httpx.Response(200, content=as_jsonl([answered, refused])))
    found = list(provider.results(["file-errors"], "m", Cursor(), number_of))
    assert [one.outcome.kind.name for one in found if one.outcome] == ["ANSWERED", "REFUSED"]


def test_a_file_may_lie_elsewhere_and_the_key_stays_here() -> None:
    content = as_jsonl([OPENAI.answered(a_line_id(1), OPENAI.direct.plain)])
    away = httpx.Response(302, headers={"location": "https://elsewhere.example/file"})
    provider, script = OPENAI.scripted(away, httpx.Response(200, content=content))
    assert numbers_of(provider.results(["file-1"], "m", Cursor(), number_of)) == [1]
    assert ["authorization" in request.headers for request in script.requests] == [True, False]


# ---- The client


class _Remembering(BaseHTTPRequestHandler):
    """Answers with an empty list; the server remembers the headers."""

    def do_GET(self) -> None:
        self.server.__dict__["seen"] = dict(self.headers)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("organization", [None, "org-1"])
def test_key_and_organization_are_sent(organization: str | None) -> None:
    with HTTPServer(("127.0.0.1", 0), _Remembering) as server:
        server.timeout = 10
        thread = Thread(target=server.handle_request)
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}/v1"
        deployment = OPENAI.deployment(api_base=base, organization=organization)
        assert open_provider(deployment, "sk-its-key").find(intent()) == []
        thread.join()
    seen = {name.lower(): value for name, value in server.__dict__["seen"].items()}
    assert seen["authorization"] == "Bearer sk-its-key"
    assert seen.get("openai-organization") == organization


class _Elsewhere(_Remembering):
    """Says that everything is at another server: at the port that the server is told."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("location", f"http://127.0.0.1:{self.server.__dict__['port']}/there")
        self.send_header("content-length", "0")
        self.end_headers()


def test_neither_key_nor_organization_nor_a_signed_url_leave(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        HTTPServer(("127.0.0.1", 0), _Elsewhere) as home,
        HTTPServer(("127.0.0.1", 0), _Remembering) as other,
    ):
        home.__dict__["port"] = other.server_port
        threads = [Thread(target=server.handle_request) for server in (home, other)]
        for server, thread in zip((home, other), threads, strict=True):
            server.timeout = 10
            thread.start()
        base = f"http://127.0.0.1:{home.server_port}/v1"
        provider = open_provider(OPENAI.deployment(api_base=base, organization="org-1"), KEY)
        with caplog.at_level(logging.INFO):
            list(provider.results(["file-1"], "m", Cursor(), number_of))
        for thread in threads:
            thread.join()
    seen = {name.lower() for name in other.__dict__["seen"]}
    assert not seen & {"authorization", "openai-organization"}
    assert not [record for record in caplog.records if record.name.startswith("httpx")]


def test_a_client_is_made_once_for_all_that_look_alike() -> None:
    first = native_http.open_client("http://a.example/v1", (("x-key", "1"),), None)
    assert native_http.open_client("http://a.example/v1", (("x-key", "1"),), None) is first
    assert native_http.open_client("http://a.example/v1", (("x-key", "2"),), None) is not first
    assert str(first.base_url) == "http://a.example/v1/"
    assert first.headers["x-key"] == "1"
    assert (first.timeout.read, first.timeout.connect) == (120, 10)
    assert native_http.open_client("http://a.example/v1", (), 7).timeout.read == 7
