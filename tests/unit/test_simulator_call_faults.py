"""The provider simulator: limits, shares of calls, and each provider's own refusals."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.simulated import Json, Provider, chat
from tests.simulated_providers import HEADERS, PROVIDERS, ask, url_of


def test_a_share_of_the_calls_fails_whatever_their_order(provider: Provider) -> None:
    fault = {"kind": "status", "status": 500, "share": 0.3, "seed": 7}
    bodies = [chat(f"Question {number}") for number in range(60)]

    runs = []
    for order in (bodies, bodies[::-1]):
        provider.simulator.behave(fault)
        statuses = {
            body["messages"][0]["content"]: provider.ask(body).status_code for body in order
        }
        runs.append(statuses)

    assert runs[0] == runs[1]
    failed = sum(status == 500 for status in runs[0].values())
    assert 5 < failed < 35
    assert provider.simulator.struck() == [failed]


def test_a_request_that_failed_by_its_share_has_another_chance(provider: Provider) -> None:
    provider.simulator.behave({"kind": "status", "status": 500, "share": 0.5})
    statuses = {provider.ask(chat("Again")).status_code for _ in range(30)}

    assert statuses == {200, 500}


def test_another_seed_strikes_others(provider: Provider) -> None:
    def failed(seed: int) -> list[int]:
        provider.simulator.behave({"kind": "status", "status": 500, "share": 0.5, "seed": seed})
        asked = enumerate(provider.ask(chat(f"Question {number}")) for number in range(30))
        return [number for number, answer in asked if answer.status_code == 500]

    assert failed(1) != failed(2)


def test_calls_over_a_number_in_flight_are_refused(provider: Provider) -> None:
    provider.simulator.behave(
        {"kind": "crowded", "most": 2, "match": {"model": "gpt*"}}, {"kind": "hold"}
    )
    with ThreadPoolExecutor(3) as threads:
        held = [threads.submit(provider.ask, chat(f"Question {number}")) for number in range(2)]
        provider.simulator.until_calls("held", 2)
        refused = provider.ask(chat("One more"))
        other: Future[httpx.Response] = threads.submit(ask, provider, "openai")
        provider.simulator.until_calls("held", 3)
        provider.simulator.release()
    provider.simulator.behave({"kind": "crowded", "most": 2})

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert [one.result().status_code for one in (*held, other)] == [200, 200, 200]
    assert provider.ask(chat("And now")).status_code == 200
    assert provider.simulator.totals("openai", "gpt-5-mini")["peak"] == 3


def test_calls_over_a_number_in_a_stretch_of_time_are_refused(provider: Provider) -> None:
    fault = {"kind": "rate_limited", "requests": 2, "seconds": 3600, "match": {"model": "gpt*"}}
    provider.simulator.behave(fault)
    answers = [provider.ask(chat("Hi")) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert 3500 < int(answers[2].headers["retry-after"]) <= 3600
    assert ask(provider, "openai").status_code == 200


def test_a_limiter_lets_in_again(provider: Provider) -> None:
    fault = {"kind": "rate_limited", "requests": 1, "seconds": 0, "retry_after": 0.5}
    provider.simulator.behave(fault)

    assert [provider.ask(chat("Hi")).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529])
def test_every_provider_refuses_in_its_own_words(
    provider: Provider, name: str, status: int
) -> None:
    fault = {"kind": "status", "status": status, "message": "Not today.", "retry_after": 3}
    provider.simulator.behave(fault | {"match": {"provider": name}})
    answer = ask(provider, name)

    assert answer.status_code == status
    assert answer.headers["retry-after"] == "3"
    envelope = answer.json()
    told = envelope if name == "cohere" else envelope["error"]
    assert told["message"] == "Not today."
    assert ("type" in envelope) is (name == "anthropic")
    assert ask(provider, "openai" if name == "groq" else "groq").status_code == 200


def test_a_refusal_can_have_any_header_and_type(provider: Provider) -> None:
    headers = {"retry-after-ms": "20", "x-should-retry": "false"}
    fault = {"kind": "status", "status": 429, "headers": headers, "type": "tokens"}
    provider.simulator.behave(fault)
    answer = provider.ask(chat("Hi"))

    assert answer.headers["retry-after-ms"] == "20"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "tokens"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200},
        {"status": 200, "body": "not JSON", "media_type": "application/json"},
    ],
)
def test_a_200_can_be_no_answer(provider: Provider, fault: Json) -> None:
    provider.simulator.behave({"kind": "status", **fault})
    answer = provider.ask(chat("Hi"))

    assert answer.status_code == 200
    assert "choices" not in answer.text
    assert answer.headers["content-type"] == "application/json"
    assert provider.simulator.paid() == {}
    assert provider.simulator.totals("openai", "gpt-5-mini")["answered"] == 0


@pytest.mark.parametrize(
    ("fault", "status"), [({"kind": "refused_key"}, 401), ({"kind": "unknown_model"}, 404)]
)
@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_can_refuse_a_key_or_a_model(
    provider: Provider, name: str, fault: Json, status: int
) -> None:
    provider.simulator.behave(fault)

    assert ask(provider, name, model="nobody").status_code == status


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_body_that_is_no_json_object_is_refused(
    provider: Provider, name: str, content: bytes
) -> None:
    url = url_of(provider.simulator, name)

    assert provider.http.post(url, content=content, headers=HEADERS).status_code == 400


def test_half_an_answer_can_come(provider: Provider) -> None:
    provider.simulator.behave({"kind": "drop", "when": "during"})

    with pytest.raises(httpx.RemoteProtocolError):
        provider.ask(chat("Hi"))

    (call,) = provider.simulator.until_calls("cut")
    assert (call["status"], "answered" in call["events"]) == (200, False)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "share": 0},
        {"kind": "latency", "seconds": -1},
        {"kind": "trickle", "bytes": 0},
        {"kind": "broken_stream", "when": "before"},
        {"kind": "withheld", "how": "shyly"},
        {"kind": "rate_limited"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(provider: Provider, fault: Json) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        provider.simulator.behave(fault)
