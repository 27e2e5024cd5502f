"""One request to one model: fallbacks, the deadline, streams that have begun."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.endpoints import EMBEDDINGS
from nightmail.errors import (
    CredentialMissing,
    GatewayError,
    InvalidRequest,
    NotFound,
    ProviderGarbled,
    ProviderRejected,
    ProviderTimedOut,
)
from nightmail.modes.asked import ModelRequest, Terms
from nightmail.modes.events import open_stream
from nightmail.modes.runner import Runner

from tests.unit.scripted_engine import (
    END,
    ROLE,
    KnownModels,
    ScriptedEngine,
    answer,
    chunk,
    rejected,
    scripted,
    throttled,
    unavailable,
)
from tests.unit.virtual_time import in_virtual_time

HELLO = [ROLE, chunk(content="Hello"), END]
HELD = asyncio.Event


def asked(model: str, **terms: Any) -> ModelRequest:
    return ModelRequest(model, {"model": model, "messages": []}, Terms(**terms))


@in_virtual_time
async def test_the_call_carries_the_request_and_its_terms() -> None:
    engine, runner = scripted(a=[answer()])
    request = ModelRequest("a", {"model": "a"}, Terms(3.5, 1), "/v1/embeddings")
    assert (await runner.answer(request))["choices"]
    [call] = engine.calls
    assert [deployment.name for deployment in call.deployments] == ["a"]
    assert (call.endpoint, call.body) == ("/v1/embeddings", {"model": "a"})
    assert (call.timeout_seconds, call.num_retries) == (3.5, 1)


@in_virtual_time
async def test_an_unknown_model_is_not_found() -> None:
    _, runner = scripted(a=[answer()])
    with pytest.raises(NotFound) as caught:
        await runner.answer(asked("b", fallbacks=("a",)))
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    "failure",
    [
        unavailable(),
        throttled(),
        rejected(404, "model_not_found"),
        rejected(502),
        rejected(400, "context_length_exceeded"),
        rejected(400, "OperationNotSupported"),
        ProviderGarbled("", provider="openai"),
        CredentialMissing("no key"),
    ],
)
@in_virtual_time
async def test_a_model_that_failed_for_good_is_followed_by_its_fallbacks(
    failure: GatewayError,
) -> None:
    engine, runner = scripted(a=[failure], b=[unavailable()], c=[answer("c")])
    body = await runner.answer(asked("a", fallbacks=("b", "c")))
    assert body["choices"][0]["message"]["content"] == "c"
    assert engine.asked == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize(
    "failure", [rejected(400), rejected(413), rejected(422), InvalidRequest("no such parameter")]
)
@in_virtual_time
async def test_a_mistake_of_the_callers_is_made_only_once(failure: GatewayError) -> None:
    engine, runner = scripted(a=[failure], b=[answer()])
    with pytest.raises(type(failure)):
        await runner.answer(asked("a", fallbacks=("b",)))
    assert engine.asked == {"a": 1}


@in_virtual_time
async def test_where_all_fail_the_error_is_that_of_the_model_that_was_asked() -> None:
    failure = unavailable()
    _, runner = scripted(a=[failure], b=[throttled()], c=[rejected(400)])
    with pytest.raises(GatewayError) as caught:
        await runner.answer(asked("a", fallbacks=("b", "c")))
    assert caught.value is failure


@pytest.mark.parametrize(("fallbacks", "who"), [(None, "config"), ((), None), (("body",), "body")])
@in_virtual_time
async def test_the_requests_fallbacks_replace_those_of_the_config(
    fallbacks: tuple[str, ...] | None, who: str | None
) -> None:
    engine, runner = scripted(
        {"a": ["config"]}, a=[unavailable()], config=[answer()], body=[answer()]
    )
    if who is None:
        with pytest.raises(GatewayError):
            await runner.answer(asked("a", fallbacks=fallbacks))
    else:
        await runner.answer(asked("a", fallbacks=fallbacks))
        assert engine.asked == {"a": 1, who: 1}


@in_virtual_time
async def test_a_fallback_that_is_no_model_is_told_before_anybody_is_called() -> None:
    engine, runner = scripted(a=[answer()])
    with pytest.raises(NotFound, match="typo"):
        await runner.answer(asked("a", fallbacks=("typo",)))
    assert engine.calls == []


@in_virtual_time
async def test_a_names_deployments_are_looked_up_once() -> None:
    lookups: list[str] = []

    class Counting(KnownModels):
        def deployments(self, name: str) -> list[Deployment]:
            lookups.append(name)
            return super().deployments(name)

    runner = Runner(ScriptedEngine({"a": [answer()]}), Counting(["a"]))
    for _ in range(3):
        await runner.answer(asked("a"))
    assert lookups == ["a"]


@in_virtual_time
async def test_at_the_deadline_a_call_is_given_up_with_the_ways_to_have_it_longer() -> None:
    engine, runner = scripted(None, 25.0, a=[HELD()], b=[answer()])
    with pytest.raises(ProviderTimedOut) as caught:
        await runner.answer(asked("a", fallbacks=("b",)))
    assert asyncio.get_running_loop().time() == 25.0
    assert caught.value.http_status == 504
    assert "'stream'" in caught.value.message
    assert "batch API" in caught.value.message
    assert engine.asked == engine.gone == {"a": 1}


@in_virtual_time
async def test_what_is_a_stream_or_cannot_be_one_is_not_told_to_ask_for_it() -> None:
    _, runner = scripted(None, 25.0, a=[HELD(), HELD()])
    with pytest.raises(ProviderTimedOut) as of_stream:
        await anext(runner.stream(asked("a")._replace(stream=True)))
    with pytest.raises(ProviderTimedOut) as of_embeddings:
        await runner.answer(asked("a")._replace(endpoint=EMBEDDINGS))
    for caught in (of_stream, of_embeddings):
        assert "stream" not in caught.value.message
        assert "batch API" in caught.value.message


@in_virtual_time
async def test_a_providers_own_time_out_keeps_its_words_before_the_deadline_and_not_at_it() -> None:
    own = ProviderTimedOut("openai was slow.", provider="openai")
    with pytest.raises(ProviderTimedOut, match="openai was slow"):
        await scripted(None, 25.0, a=[own])[1].answer(asked("a"))
    await asyncio.sleep(25.0)
    with pytest.raises(ProviderTimedOut, match="batch API"):
        await scripted(None, 25.0, a=[own])[1].answer(asked("a"))


@in_virtual_time
async def test_a_stream_passes_its_chunks_on() -> None:
    _, runner = scripted(a=HELLO)
    assert [piece async for piece in runner.stream(asked("a"))] == HELLO


@in_virtual_time
async def test_a_stream_falls_back_before_its_first_chunk() -> None:
    engine, runner = scripted(a=[unavailable()], b=[throttled()], c=HELLO)
    chunks = [piece async for piece in runner.stream(asked("a", fallbacks=("b", "c")))]
    assert chunks == HELLO
    assert engine.asked == {"a": 1, "b": 1, "c": 1}


@in_virtual_time
async def test_a_stream_does_not_fall_back_from_a_mistake_of_the_callers() -> None:
    engine, runner = scripted(a=[rejected(400)], b=HELLO)
    with pytest.raises(ProviderRejected):
        await open_stream(asked("a", fallbacks=("b",)), runner)
    assert engine.asked == {"a": 1}


@in_virtual_time
async def test_a_stream_that_has_begun_fails_where_it_broke() -> None:
    engine, runner = scripted(a=[ROLE, unavailable()], b=HELLO)
    chunks = runner.stream(asked("a", fallbacks=("b",)))
    assert await anext(chunks) == ROLE
    with pytest.raises(GatewayError):
        await anext(chunks)
    assert engine.asked == {"a": 1}


@in_virtual_time
async def test_a_stream_that_nobody_begins_raises_the_first_error() -> None:
    failure = rejected(404)
    _, runner = scripted(a=[failure], b=[unavailable()])
    with pytest.raises(GatewayError) as caught:
        await open_stream(asked("a", fallbacks=("b",)), runner)
    assert caught.value is failure


@in_virtual_time
async def test_a_stream_ends_at_the_deadline_too() -> None:
    engine, runner = scripted(None, 25.0, a=[ROLE, HELD()])
    chunks = runner.stream(asked("a"))
    assert await anext(chunks) == ROLE
    with pytest.raises(ProviderTimedOut, match="batch API"):
        await anext(chunks)
    assert engine.gone == {"a": 1}


@in_virtual_time
async def test_closing_a_stream_closes_the_providers() -> None:
    engine, runner = scripted(a=[ROLE, HELD()])
    async with aclosing(runner.stream(asked("a"))) as chunks:
        assert await anext(chunks) == ROLE
    assert engine.gone == {"a": 1}


@in_virtual_time
async def test_an_open_stream_has_its_first_chunk_and_can_be_closed_unread() -> None:
    engine, runner = scripted(a=[*HELLO, HELD()])
    stream = await open_stream(asked("a"), runner)
    await stream.aclose()
    assert engine.gone == {"a": 1}
    assert [piece async for piece in await open_stream(asked("a"), scripted(a=HELLO)[1])] == HELLO


@in_virtual_time
async def test_a_stream_without_chunks_is_empty() -> None:
    _, runner = scripted(a=[])
    assert [piece async for piece in await open_stream(asked("a"), runner)] == []
