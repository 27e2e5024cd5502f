"""Bad input through the front door: it is refused by name, and no provider ever hears of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import CHAT, Desk, Json, assert_promises, open_desk, request, to_jsonl

MB = 1024 * 1024
BOUNDARY = "a-boundary"
PROVIDER_SECRET = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


@pytest.fixture
def http(cloud: RunningCloud, desk: Desk) -> Iterator[httpx.Client]:
    """A client that speaks for the tenant, and says what OpenAI's never would."""
    headers = {"Authorization": f"Bearer {desk.tenant.key}"}
    with httpx.Client(
        base_url=cloud.base_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        yield client


def error_of(answer: httpx.Response) -> Json:
    """The error of an answer that is OpenAI's envelope and names the request."""
    assert answer.headers["x-request-id"]
    error: Json = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def form(content: bytes, name: str = "batch.jsonl", purpose: str | None = "batch") -> bytes:
    """A multipart form as a client writes it."""
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    start = (field if purpose else "") + head
    return start.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def post_form(http: httpx.Client, body: bytes) -> httpx.Response:
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return http.post("/files", content=body, headers=headers)


@pytest.mark.parametrize("route", ["/files", "/batches/batch_1", "/models", "/uploads/x/urls"])
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer sk-wrong", "Basic c2s6eA==", "Bearer two keys"]
)
def test_no_key_a_wrong_one_and_a_malformed_one_are_401(
    cloud: RunningCloud, route: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = httpx.get(f"{cloud.base_url}{route}", headers=headers, trust_env=False)

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "/nowhere"), ("POST", "/files/x/nowhere"), ("PATCH", "/batches"), ("GET", "/")],
)
def test_unknown_routes_are_404(http: httpx.Client, method: str, route: str) -> None:
    answer = http.request(method, route)

    assert answer.status_code == 404
    assert route in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("size", "is_called"),
    [(4 * MB + 1, True), (5 * MB, False), (9 * MB, False), (11 * MB, False)],
)
def test_a_file_that_is_too_big_is_led_to_uploads(
    cloud: RunningCloud, http: httpx.Client, *, size: int, is_called: bool
) -> None:
    before = len(cloud.memory("files"))

    answer = post_form(http, form(b"x" * size))

    assert answer.status_code == 413
    message = error_of(answer)["message"]
    assert "/uploads" in message
    assert "4 MB" in message or f"{4 * MB}" in message
    assert (len(cloud.memory("files")) > before) is is_called


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(b"{}", purpose=None), "purpose"),
        (form(b"{}", purpose="dinner"), "purpose"),
        (form(b"{}", name="batch.csv"), "file"),
        (form(b""), "file"),
        (form(b"{}")[:-20], "file"),
        (b"no form at all", "file"),
        (b"", "file"),
    ],
)
def test_a_wrong_form_is_refused_by_its_field(http: httpx.Client, body: bytes, param: str) -> None:
    answer = post_form(http, body)

    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


def test_every_bad_line_is_named_and_nothing_is_sent(desk: Desk) -> None:
    good = desk.questions(1)[0]
    bad: list[tuple[bytes, str, str | None]] = [
        (b"{no json}", "invalid_json_line", None),
        (b"\xef\xbb\xbf" + json.dumps(good).encode(), "invalid_json_line", None),
        (json.dumps(good).encode("utf-16"), "invalid_json_line", None),
        (b'{"custom_id": "\xff\xfe"}', "invalid_json_line", None),
        (
            json.dumps({**good, "custom_id": None}).encode(),
            "missing_required_parameter",
            "custom_id",
        ),
        (json.dumps({**good, "custom_id": "b", "body": []}).encode(), "invalid_type", "body"),
        (json.dumps(good).encode(), "duplicate_custom_id", "custom_id"),
        (json.dumps({**good, "custom_id": "c", "url": "/v1/no"}).encode(), "invalid_url", "url"),
        (
            json.dumps(
                {**good, "custom_id": "d", "body": {**good["body"], "stream": True}}
            ).encode(),
            "streaming_unsupported",
            "body.stream",
        ),
        (
            json.dumps(request("e", "Who?", "nobody's model")).encode(),
            "model_not_found",
            "body.model",
        ),
    ]
    content = b"\n".join([json.dumps(good).encode(), *(line for line, _, _ in bad)])

    end = desk.follow(desk.start(content))[-1]

    assert end.status == "failed"
    assert end.errors
    told = [(error.line, error.code, error.param) for error in end.errors.data or []]
    assert told == [(number, code, param) for number, (_, code, param) in enumerate(bad, 2)]
    assert end.output_file_id is end.error_file_id is None
    assert desk.calls() == []


def test_a_model_that_nobody_serves_is_named(desk: Desk) -> None:
    end = desk.follow(desk.start([request("a", "Who?", "nobody's model")]))[-1]

    assert end.status == "failed"
    assert end.errors
    (error,) = end.errors.data or []
    assert (error.code, error.param, error.line) == ("model_not_found", "body.model", 1)
    assert "nobody's model" in (error.message or "")


def test_what_looks_odd_and_is_not_wrong_runs(desk: Desk) -> None:
    ids = ["", "🦉" * 512, '"quoted" \\ and\ttabbed\n', "\u0000\u2028\ud7ff", " ", "id" * 256]
    requests = desk.questions(len(ids))
    for each, custom_id in zip(requests, ids, strict=True):
        each["custom_id"] = custom_id or "x" * 512
    requests[2]["body"]["messages"][0]["content"] += " Ünïcödé 漢字 \u2028 🦉"
    requests[3]["body"]["messages"][0]["content"] += "m" * MB
    lines = [json.dumps(each, ensure_ascii=False).encode() for each in requests]
    content = b"\r\n\n  \n" + b"\r\n".join(lines)

    journey = desk.finish(requests, desk.start(content))

    assert_promises(journey, desk.simulator)
    assert journey.end.status == "completed"
    assert len(journey.output) == len(requests)


@pytest.mark.parametrize(
    ("status", "path", "words"),
    [(401, "/files", "expired"), (403, "/files", "not for you"), (402, "/batches", "not paid for")],
)
def test_what_a_provider_refuses_is_told_in_its_words_without_secrets(
    desk: Desk, status: int, path: str, words: str
) -> None:
    message = f"Your key {PROVIDER_SECRET} is {words}."
    desk.simulator.behave(desk.fault("status", "POST", path, status=status, message=message))

    end = desk.follow(desk.start(desk.questions(2)))[-1]

    assert end.status == "failed"
    told = end.to_json() + json.dumps(desk.lines(end.error_file_id))
    assert words in told
    assert f"openai answered {status}" in told
    assert PROVIDER_SECRET not in told
    assert desk.tenant.provider_key not in told


def test_a_model_that_the_provider_does_not_know_is_its_error(desk: Desk) -> None:
    desk.simulator.behave(desk.fault("unknown_model"))

    end = desk.follow(desk.start(desk.questions(2)))[-1]

    assert end.status == "failed"
    assert end.errors
    errors = [(error.code, error.line) for error in end.errors.data or []]
    assert errors == [("model_not_found", 1), ("model_not_found", 2)]


@pytest.mark.parametrize(
    "change",
    [{"completion_window": "1 week"}, {"endpoint": "/v1/nowhere"}, {"input_file_id": 7}],
)
def test_a_wrong_create_is_refused_by_its_field(http: httpx.Client, change: Json) -> None:
    body = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h", **change}

    answer = http.post("/batches", json=body)

    assert answer.status_code == 400
    assert error_of(answer)["param"] == next(iter(change))


def test_an_ended_batch_cannot_be_cancelled(desk: Desk) -> None:
    end = desk.follow(desk.start(to_jsonl(desk.questions(1))))[-1]

    with pytest.raises(openai.ConflictError) as refused:
        desk.client.batches.cancel(end.id)

    assert refused.value.response.headers["x-should-retry"] == "false"
