"""The provider simulator: what its log tells, and how a test waits for it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from local.simulator import client as client_module
from local.simulator.addresses import PROVIDERS, address_of, base_of
from local.simulator.client import SimulatorClient
from local.simulator.log import MOST_CALLS, Log
from tests.simulated import Provider, chat
from tests.simulated_providers import ask


def test_each_provider_has_a_log_of_its_own(provider: Provider) -> None:
    for name in ("anthropic", "cohere", "cohere", "groq"):
        ask(provider, name, model="big").raise_for_status()

    simulator = provider.simulator
    assert [len(simulator.calls(provider=name)) for name in ("anthropic", "cohere")] == [1, 2]
    assert {call["path"] for call in simulator.calls()} == {
        "/messages",
        "/chat",
        "/chat/completions",
    }
    assert simulator.totals("cohere", "big") == {
        "calls": 2,
        "in_flight": 0,
        "peak": 1,
        "answered": 2,
        "disconnected": 0,
        "statuses": {"200": 2},
    }
    assert simulator.totals("openai", "big")["calls"] == 0


def test_a_call_tells_its_key_its_model_and_whether_it_streams(provider: Provider) -> None:
    ask(provider, "anthropic", model="claude-2")

    (call,) = provider.simulator.calls()
    assert (call["key"], call["model"], call["stream"]) == ("abcd", "claude-2", False)
    assert list(call["events"]) == ["arrived", "began", "answered"]


def test_events_stand_in_their_order(provider: Provider) -> None:
    provider.simulator.behave({"kind": "hold", "name": "gate", "match": {"model": "gpt*"}})
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(provider.ask, chat("Hi"))
        provider.simulator.until_calls("held")
        ask(provider, "openai")
        provider.simulator.release("gate")
        held.result()

    told = [(one["event"], one["call"]) for one in provider.simulator.events()]
    assert told == [
        ("arrived", 1), ("held", 1), ("arrived", 2), ("began", 2), ("answered", 2),
        ("release", None), ("released", 1), ("began", 1), ("answered", 1),
    ]  # fmt: skip


def test_an_event_loop_can_wait_for_calls_that_it_makes_itself(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold"})

    async def race() -> list[int]:
        headers = {"authorization": "Bearer sk"}
        base = simulator.base_url
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as http:
            asked = [http.post("/chat/completions", json=chat(f"{number}")) for number in range(3)]
            tasks = [asyncio.create_task(one) for one in asked]
            held = await simulator.await_calls("held", 3, model="gpt-5-mini")
            tasks[0].cancel()
            await simulator.await_calls("disconnected")
            simulator.release()
            await asyncio.gather(*tasks[1:])
            return [call["n"] for call in held]

    assert asyncio.run(race()) == [1, 2, 3]
    totals = simulator.totals("openai", "gpt-5-mini")
    assert (totals["peak"], totals["answered"], totals["disconnected"]) == (3, 2, 1)


def test_waiting_for_what_does_not_come_has_an_end(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_PATIENCE_SECONDS", 0.01)

    with pytest.raises(TimeoutError, match=r"'held': 0 of 2 calls with \{'model': 'm'\}"):
        simulator.until_calls("held", 2, model="m")


def test_arrivals_are_counted_within_a_stretch_of_time(provider: Provider) -> None:
    for _ in range(4):
        ask(provider, "cohere")
    ask(provider, "openai")

    assert provider.simulator.busiest(3600, provider="cohere") == 4
    assert provider.simulator.busiest(0, provider="cohere") == 0
    assert provider.simulator.busiest(3600, model="nobody") == 0


def test_the_log_forgets_calls_before_it_outgrows_memory_but_counts_them_all() -> None:
    log = Log()
    for _ in range(MOST_CALLS + 10):
        call = log.begin(method="POST", provider="openai", path="/embeddings", query="")
        log.arrive(call)
        log.end(call)

    assert len(log.calls) == MOST_CALLS
    assert log.calls[0].n == 11
    assert log.totals_of(call).calls == MOST_CALLS + 10


def test_a_clearing_in_the_middle_of_a_call_leaves_no_debt() -> None:
    log = Log()
    call = log.begin(method="POST", provider="openai", path="/embeddings", query="")
    log.arrive(call)
    log.clear()
    log.end(call)

    assert log.totals_of(call).in_flight == 0


def test_the_log_is_written_as_lines_of_json(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    log = Log(file)
    log.end(log.begin(method="GET", provider="openai", path="/models", query=""))
    log.close()

    (line,) = file.read_text().splitlines()
    assert json.loads(line)["path"] == "/models"


@pytest.mark.parametrize(
    ("path", "provider", "inner"),
    [
        ("/v1/chat/completions", "openai", "/chat/completions"),
        ("/chat/completions", "openai", "/chat/completions"),
        ("/openai/v1/models", "openai", "/models"),
        ("/groq/v1/chat/completions", "groq", "/chat/completions"),
        ("/groq/chat/completions", "groq", "/groq/chat/completions"),
        ("/anthropic/v1/messages", "anthropic", "/messages"),
        ("/anthropic/v2/messages", "anthropic", "/anthropic/v2/messages"),
        ("/anthropic/v1messages", "anthropic", "/anthropic/v1messages"),
        ("/cohere/v2/chat", "cohere", "/chat"),
        ("/cohere", "openai", "/cohere"),
    ],
)
def test_a_path_belongs_to_one_provider(path: str, provider: str, inner: str) -> None:
    assert address_of(path) == (provider, inner)


def test_every_provider_has_a_base_that_leads_to_it() -> None:
    for name in PROVIDERS:
        path = base_of("http://x", name).removeprefix("http://x")
        assert address_of(f"{path.removesuffix('/v1')}/v1/x").provider == name
    with pytest.raises(ValueError, match="The simulator is no nobody"):
        base_of("http://x", "nobody")
