"""The emulator's API Gateway, through the front door, does what the template says and AWS refuses."""

from __future__ import annotations

import hashlib
import socket

import httpx
import pytest

from tests.contract.miniature import Miniature

BYTES = {"content-type": "application/octet-stream", "accept": "application/octet-stream"}
FORM = {"content-type": "multipart/form-data; boundary=b", "accept": "application/octet-stream"}


@pytest.mark.parametrize("path", ["/v1/desk", "/openai/v1/desk", "/desk"])
def test_the_front_door_takes_the_path_with_and_without_a_prefix(
    miniature: Miniature, path: str
) -> None:
    answer = miniature.http.get(path)

    assert answer.json()["path"] == "/desk"


def test_the_path_arrives_as_it_was_sent(miniature: Miniature) -> None:
    answer = miniature.http.get("/v1/desk/some%2Fmodel%20x")

    assert answer.json()["path"] == "/desk/some%2Fmodel%20x"


def test_the_authorizers_context_reaches_the_function(miniature: Miniature) -> None:
    assert miniature.http.get("/desk").json()["owner"] == "mini"


@pytest.mark.parametrize("content_type", ["application/octet-stream", "multipart/form-data; b=1"])
def test_binary_bodies_survive_both_ways(miniature: Miniature, content_type: str) -> None:
    body = bytes(range(256)) * 16

    answer = miniature.http.post(
        "/desk?do=bytes", content=body, headers={**BYTES, "content-type": content_type}
    )

    assert answer.content == body
    digest = hashlib.sha256(body).hexdigest()
    assert answer.headers.get_list("x-digest") == [digest, "True"]


def test_a_text_body_is_not_encoded(miniature: Miniature) -> None:
    headers = {**BYTES, "content-type": "application/json"}

    answer = miniature.http.post("/desk?do=bytes", content="{}", headers=headers)

    assert answer.headers.get_list("x-digest")[1] == "False"


@pytest.mark.parametrize("key", [None, "Bearer sk-wrong"])
def test_a_refused_key_is_answered_by_the_templates_gateway_response(
    miniature: Miniature, key: str | None
) -> None:
    headers = {} if key is None else {"authorization": key}

    answer = httpx.get(f"{miniature.emulator.front_url}/v1/desk", headers=headers, trust_env=False)

    assert answer.status_code == 401
    request_id = answer.headers["x-request-id"]
    assert answer.json() == {"error": {"code": "no_key", "id": request_id}}


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("DELETE", "/desk")])
def test_an_unknown_route_is_answered_by_the_templates_gateway_response(
    miniature: Miniature, method: str, path: str
) -> None:
    answer = miniature.http.request(method, path)

    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "unknown_url", "url": f"{method} /v1{path}"}}


@pytest.mark.parametrize("do", ["crash", "shapeless", "large"])
def test_a_broken_answer_is_a_502_that_tells_nothing(miniature: Miniature, do: str) -> None:
    answer = miniature.http.get(f"/desk?do={do}")

    assert answer.status_code == 502
    assert answer.json() == {"error": {"message": "Internal server error"}}


def test_a_killed_function_is_a_502(miniature: Miniature) -> None:
    miniature.emulator.kill(miniature.name("Desk"), "end")

    assert miniature.http.get("/desk").status_code == 502
    assert miniature.http.get("/desk").status_code == 200


def test_a_body_over_10_mb_is_refused(miniature: Miniature) -> None:
    answer = miniature.http.post("/desk?do=bytes", content=b"x" * 10_500_000, headers=FORM)

    assert (answer.status_code, answer.json()) == (413, {"error": {"code": "too_large"}})


def test_a_body_whose_event_is_over_6_mb_is_refused(miniature: Miniature) -> None:
    fits = miniature.http.post("/desk?do=bytes", content=b"x" * 4_400_000, headers=FORM)
    does_not = miniature.http.post("/desk?do=bytes", content=b"x" * 4_800_000, headers=FORM)

    assert len(fits.content) == 4_400_000
    assert (does_not.status_code, does_not.json()) == (413, {"error": {"code": "too_large"}})


def test_a_text_bodys_escapes_count_for_the_6_mb(miniature: Miniature) -> None:
    headers = {**BYTES, "content-type": "application/json"}

    answer = miniature.http.post("/desk?do=bytes", content='"' * 3_200_000, headers=headers)

    assert answer.status_code == 413


def test_a_body_that_breaks_off_reaches_no_function(miniature: Miniature) -> None:
    def invocations() -> int:
        group = f"/aws/lambda/{miniature.name('Desk')}"
        logs = miniature.session.client("logs")
        return len(logs.filter_log_events(logGroupName=group, filterPattern="START")["events"])

    miniature.http.get("/desk")
    before = invocations()
    door = httpx.URL(miniature.emulator.front_url)
    head = "POST /desk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-mini\r\n"
    with socket.create_connection((door.host, door.port or 80)) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())

    miniature.http.get("/desk")

    assert invocations() == before + 1


def test_headers_over_10_kb_are_refused(miniature: Miniature) -> None:
    answer = miniature.http.get("/desk", headers={"x-long": "x" * 11_000})

    assert answer.status_code == 413


def test_an_integration_that_takes_too_long_is_answered_by_the_templates_gateway_response(
    miniature: Miniature,
) -> None:
    answer = miniature.http.get("/hurried?do=slow")

    assert (answer.status_code, answer.json()) == (504, {"error": {"code": "timeout"}})


def test_a_function_behind_response_streaming_writes_status_headers_and_body_as_one_stream(
    miniature: Miniature,
) -> None:
    answer = miniature.http.get("/streamed?do=stream")

    assert (answer.status_code, answer.text) == (201, "data: \u00fc\n\n")
    assert answer.headers.get_list("x-several") == ["a", "b"]


@pytest.mark.parametrize("do", ["environment", "torn", "crash"])
def test_what_is_no_such_stream_is_a_502(miniature: Miniature, do: str) -> None:
    assert miniature.http.get(f"/streamed?do={do}").status_code == 502


def test_such_a_stream_is_no_answer_of_an_ordinary_integration(miniature: Miniature) -> None:
    assert miniature.http.get("/desk?do=stream").status_code == 502


def test_a_presigned_url_carries_the_rights_of_the_functions_role(miniature: Miniature) -> None:
    url = miniature.http.get("/desk").json()["url"]

    assert httpx.put(url, content=b"x", trust_env=False).status_code == 200
    assert httpx.get(url, trust_env=False).status_code == 403
