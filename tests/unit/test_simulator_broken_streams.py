"""The provider simulator: streams that break off, and answers in small pieces."""

from __future__ import annotations

import json
import re
import socket

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.simulated import KEY, Provider, chat, events_of
from tests.simulated_providers import PROVIDERS, streaming


@pytest.fixture(params=PROVIDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("when", ["first_token", "last_token"])
def test_a_stream_can_break_off_with_an_error(
    simulator: SimulatorClient, name: str, when: str
) -> None:
    simulator.behave({"kind": "broken_stream", "when": when, "status": 503})

    with streaming(simulator, name) as answer:
        text = answer.read().decode()

    events = events_of(text)
    last = events[-1]
    if name == "cohere":
        assert last["delta"]["finish_reason"] == "ERROR"
    else:
        assert last["error"]["message"]
        assert "[DONE]" not in text
    assert ("short" in text) is (when == "last_token")
    (call,) = simulator.calls()
    assert "answered" not in call["events"]


def test_a_stream_can_end_without_its_end(simulator: SimulatorClient, name: str) -> None:
    simulator.behave({"kind": "broken_stream", "status": None})

    with streaming(simulator, name) as answer:
        text = answer.read().decode()

    assert "short" in text
    assert not any(end in text for end in ("[DONE]", "message_stop", "message-end"))


def test_the_connection_of_a_stream_can_be_cut(simulator: SimulatorClient, name: str) -> None:
    simulator.behave({"kind": "drop", "when": "last_token"})

    with streaming(simulator, name) as answer, pytest.raises(httpx.RemoteProtocolError):
        answer.read()

    (call,) = simulator.until_calls("cut")
    assert (call["status"], call["disconnected"]) == (200, False)
    assert "answered" not in call["events"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("size", [1, 7])
def test_an_answer_can_trickle(provider: Provider, stream: bool, size: int) -> None:
    body = chat("Höre, 聞く 👋", stream=stream)
    expected = provider.ask(body)
    provider.simulator.behave({"kind": "trickle", "bytes": size})

    assert len(provider.ask(body).text) == len(expected.text)
    (call,) = provider.simulator.calls(fault="trickle")
    assert "answered" in call["events"]


def test_the_pieces_of_a_trickle_are_no_events(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "trickle", "bytes": 7})
    url, body = httpx.URL(simulator.url), json.dumps(chat("Hi", stream=True)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )

    with socket.create_connection((url.host, url.port)) as client, client.makefile("rb") as answer:
        client.sendall(head.encode() + body)
        _, _, raw = answer.read().partition(b"\r\n\r\n")

    sizes = [int(size, 16) for size in re.findall(rb"(?:^|\r\n)([0-9a-f]+)\r\n", raw)]
    assert len(sizes) > 100
    assert max(sizes) == 7


def test_who_leaves_a_trickle_is_told(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "trickle", "seconds": 60})

    with streaming(simulator, "openai"):
        simulator.until_calls("began")

    simulator.until_calls("disconnected")
