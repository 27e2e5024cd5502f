"""The provider simulator: streams that are held, slow, or left by their client, on a real socket."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.types import Message

from local.simulator.client import SimulatorClient
from local.simulator.exchange import Exchange
from local.simulator.log import Log
from local.simulator.openai_dialect import OpenAIDialect
from tests.simulated import Json, Provider, chat, events_of
from tests.simulated_providers import HEADERS, PROVIDERS, body_of, streaming, url_of


@pytest.fixture(params=PROVIDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_stream_comes_event_by_event(simulator: SimulatorClient, name: str) -> None:
    simulator.behave({"kind": "hold", "when": "last_token"})

    with streaming(simulator, name) as answer:
        (call,) = simulator.until_calls("held", provider=name)
        pieces = answer.iter_text()
        before = ""
        while "Stream" not in before:
            before += next(pieces)
        assert answer.headers["content-type"] == "text/event-stream"
        assert {"began", "token"} <= call["events"].keys()
        assert "answered" not in call["events"]
        simulator.release()
        after = "".join(pieces)

    assert "Stream" not in after
    (call,) = simulator.until_calls("answered")
    assert call["events"]["held"] < call["events"]["released"] < call["events"]["answered"]


def test_the_first_token_can_be_held(simulator: SimulatorClient, name: str) -> None:
    simulator.behave({"kind": "hold", "when": "first_token"})

    with streaming(simulator, name) as answer:
        (call,) = simulator.until_calls("held")
        pieces = answer.iter_text()
        before = next(pieces)
        assert events_of(before)
        assert "short" not in before
        assert "token" not in call["events"]
        simulator.release()
        assert "short" in "".join(pieces)


def test_a_client_that_leaves_a_held_stream_is_told_while_it_is_held(
    simulator: SimulatorClient, name: str
) -> None:
    simulator.behave({"kind": "hold", "when": "first_token", "match": {"model": "loser"}})

    with streaming(simulator, name, "loser"):
        simulator.until_calls("held", model="loser")
        with streaming(simulator, name, "winner") as winner:
            winner.read()
    (loser,) = simulator.until_calls("disconnected", model="loser")
    assert simulator.waiting() == []
    simulator.release()

    release = next(one["place"] for one in simulator.events() if one["event"] == "release")
    assert loser["events"]["disconnected"] < release
    assert loser["disconnected"]
    assert "released" not in loser["events"]
    (winner_call,) = simulator.calls(model="winner")
    assert winner_call["disconnected"] is False
    assert simulator.totals(name, "loser")["answered"] == 0
    assert simulator.totals(name, "winner")["answered"] == 1


def test_a_client_that_leaves_in_the_middle_of_a_slow_stream_is_told(
    simulator: SimulatorClient, name: str
) -> None:
    simulator.behave({"kind": "latency", "token": 60})

    with streaming(simulator, name):
        simulator.until_calls("token")
    (call,) = simulator.until_calls("disconnected")

    assert call["status"] == 200
    assert "answered" not in call["events"]


@pytest.mark.parametrize("latency", [{"seconds": 60}, {"first_token": 60}])
def test_latency_comes_before_the_status_or_before_the_first_token(
    simulator: SimulatorClient, latency: Json
) -> None:
    simulator.behave({"kind": "latency", **latency})
    begins = "first_token" in latency

    async def leave_early() -> None:
        async with httpx.AsyncClient(headers=HEADERS, trust_env=False, timeout=30) as http:
            body = body_of("openai")
            sent = asyncio.create_task(http.post(url_of(simulator, "openai"), json=body))
            await simulator.await_calls("began" if begins else "arrived")
            sent.cancel()

    asyncio.run(leave_early())
    (call,) = simulator.until_calls("disconnected")

    assert call["status"] == (200 if begins else None)
    assert "token" not in call["events"]
    assert len(simulator.paid()) == begins


def test_latency_is_each_models_own_and_no_fault(provider: Provider) -> None:
    match = {"provider": "openai", "model": "gpt-5*"}
    provider.simulator.behave(
        {"kind": "latency", "seconds": 0.001, "token": 0.001, "match": match},
        {"kind": "latency", "seconds": 60},
        {"kind": "status", "status": 500, "times": 1},
    )

    assert [provider.ask(chat("Hi", stream=True)).status_code for _ in range(2)] == [500, 200]
    assert provider.simulator.struck() == [1, 0, 1]


def test_a_plain_answer_has_no_tokens_to_wait_for(provider: Provider) -> None:
    fault = {"kind": "hold", "when": "first_token", "match": {"stream": False}}
    provider.simulator.behave(fault)

    assert provider.ask(chat("Hi", stream=True)).status_code == 200
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(provider.ask, chat("Hi"))
        (call,) = provider.simulator.until_calls("held")
        provider.simulator.release()

    assert call["status"] is None
    assert answer.result().status_code == 200


class Closed(asyncio.Transport):
    """A connection that its client has closed."""

    def is_closing(self) -> bool:
        return True


def test_an_answer_that_nobody_can_read_any_more_is_no_answer() -> None:
    log = Log()
    call = log.begin(method="POST", provider="openai", path="/embeddings", query="")

    async def answer() -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"{}"}

        async def send(_: Message) -> None:
            pass

        scope = {"type": "http", "headers": [], "state": {"connection": Closed()}}
        dialect = OpenAIDialect()
        exchange = Exchange(scope, receive, send, call=call, log=log, dialect=dialect)
        await exchange.respond(200, b"{}", {})

    asyncio.run(answer())

    assert call.disconnected
    assert "answered" not in call.events
