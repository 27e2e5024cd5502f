"""What a function writes piece by piece goes through the emulator piece by piece."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.miniature import KEY, Miniature

HEAD = json.dumps(
    {"statusCode": 201, "headers": {"X-One": "1"}, "multiValueHeaders": {"x-several": ["a", "b"]}}
)
BEGIN = HEAD + "\0" * 8


class Speaker:
    """The function that says what it is told, once it has come to the gate."""

    def __init__(self, gate: socket.socket) -> None:
        self._gate = gate
        self._connection: socket.socket | None = None

    @property
    def port(self) -> int:
        return int(self._gate.getsockname()[1])

    def tell(self, **order: Any) -> None:
        if self._connection is None:
            self._connection, _ = self._gate.accept()
        self._connection.sendall(json.dumps(order).encode() + b"\n")

    def end(self, **trailers: str) -> str:
        """The status that its end was answered with."""
        self.tell(end={name.replace("_", "-"): value for name, value in trailers.items()})
        assert self._connection is not None
        return self._connection.makefile().readline().strip()

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.settimeout(30)
        speaker = Speaker(gate)
        yield speaker
        speaker.leave()


@pytest.fixture
def client(miniature: Miniature, speaker: Speaker) -> Iterator[HTTPConnection]:
    """Has asked, and waits for nothing."""
    address = urlsplit(miniature.emulator.front_url).netloc
    with closing(HTTPConnection(address, timeout=30)) as connection:
        connection.request("GET", f"/spoken?gate={speaker.port}", headers=KEY)
        yield connection


def begun(client: HTTPConnection, speaker: Speaker) -> HTTPResponse:
    """The answer whose first piece has come while the function is about to say the next."""
    speaker.tell(write=BEGIN + "one")
    answer = client.getresponse()
    assert answer.read1() == b"one"
    return answer


def test_a_client_reads_what_is_written_while_the_function_goes_on(
    client: HTTPConnection, speaker: Speaker
) -> None:
    answer = begun(client, speaker)
    speaker.tell(write="tw\u00f6")
    second = answer.read1()
    status = speaker.end()

    assert (answer.status, answer.headers["x-one"]) == (201, "1")
    assert answer.headers.get_all("x-several") == ["a", "b"]
    assert second.decode() == "tw\u00f6"
    assert (answer.read(), status) == (b"", "202")


def test_status_and_headers_may_come_in_pieces(client: HTTPConnection, speaker: Speaker) -> None:
    for letter in BEGIN:
        speaker.tell(write=letter)

    assert client.getresponse().status == 201
    speaker.end()


def test_an_error_behind_the_beginning_cuts_the_connection(
    client: HTTPConnection, speaker: Speaker
) -> None:
    answer = begun(client, speaker)
    body = base64.b64encode(b'{"errorMessage": "a secret detail"}').decode()

    speaker.end(
        Lambda_Runtime_Function_Error_Type="ValueError", Lambda_Runtime_Function_Error_Body=body
    )

    with pytest.raises(IncompleteRead):
        answer.read()


@pytest.mark.parametrize("order", [{"exit": 1}, {"hang_up": True}])
def test_a_function_that_stops_behind_the_beginning_cuts_the_connection(
    client: HTTPConnection, speaker: Speaker, order: dict[str, Any]
) -> None:
    answer = begun(client, speaker)

    speaker.tell(**order)

    with pytest.raises(IncompleteRead):
        answer.read()


def test_an_error_before_the_beginning_is_a_502(client: HTTPConnection, speaker: Speaker) -> None:
    speaker.tell(write=HEAD)

    speaker.end(Lambda_Runtime_Function_Error_Type="ValueError")

    assert client.getresponse().status == 502


def test_a_function_does_not_learn_that_its_client_has_gone(
    client: HTTPConnection, speaker: Speaker
) -> None:
    begun(client, speaker).close()
    client.close()

    for _ in range(10):
        speaker.tell(write="more" * 10_000)

    assert speaker.end() == "202"


def test_who_invokes_the_function_itself_gets_the_stream_whole(
    miniature: Miniature, speaker: Speaker
) -> None:
    event = {"queryStringParameters": {"gate": str(speaker.port)}}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(miniature.invoke, "Speaker", event)
        speaker.tell(write=BEGIN)
        speaker.tell(write="one")
        speaker.end()

    assert answer.result() == BEGIN + "one"
