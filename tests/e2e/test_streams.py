"""Streams through the deployed API: what a provider has said reaches the client before it says more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import openai
import pytest
from openai import Stream
from openai.types.chat import ChatCompletionChunk

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Json, open_desk

pytestmark = pytest.mark.of("anthropic")

OTHER, THIRD = "gpt-4o-mini", "claude-haiku-4-5"
PATIENCE_SECONDS = 60
"""What is held back too early is never released, and comes too late."""


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def said(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]


def slowly(desk: Desk) -> list[Json]:
    """A prompt that `hold_the_last` strikes."""
    return said(f"{desk.tenant.owner}: say it slowly")


def hold_the_last(desk: Desk) -> None:
    """Every answer to the slow prompt stops before its last token, or before its only piece."""
    match = {"text": f"{desk.tenant.owner}: say it slowly"}
    name = desk.tenant.owner
    desk.simulator.behave({"kind": "hold", "when": "last_token", "name": name, "match": match})


def asked(desk: Desk, mode: str) -> tuple[str, Json]:
    """Where a mode is, and its body."""
    own = desk.tenant.model
    one: Json = {"messages": slowly(desk)}
    two = [said(f"{own}: hello"), slowly(desk)]
    return {
        "one model": ("/chat/completions", {"model": own, **one}),
        "all of several models": ("/chat/completions", {"model": f"{own}, {OTHER}", **one}),
        "the fastest of several models": (
            "/chat/completions",
            {"model": f"{own}, {OTHER}, {THIRD}", "fastest_response": True, **one},
        ),
        "many prompts to several models": (
            "/chat/completions",
            {"model": [own, THIRD], "messages": two},
        ),
        "a race": ("/batch_completion_models", {"models": [own, THIRD], **one}),
        "every answer": ("/batch_completion_models_all_responses", {"models": [own, OTHER], **one}),
        "many prompts": ("/batch_completion", {"model": own, "messages": two}),
    }[mode]


MODES = [
    "one model",
    "all of several models",
    "the fastest of several models",
    "many prompts to several models",
    "a race",
    "every answer",
    "many prompts",
]


def open_stream(desk: Desk, path: str, body: Json) -> Stream[ChatCompletionChunk]:
    patient = desk.client.with_options(timeout=PATIENCE_SECONDS, max_retries=0)
    return patient.post(
        path,
        body={**body, "stream": True},
        cast_to=ChatCompletionChunk,
        stream=True,
        stream_cls=Stream[ChatCompletionChunk],
    )


def content_of(chunk: ChatCompletionChunk) -> str:
    """Of a chunk, or of the whole answer that many prompts have in its place."""
    choices: list[Json] = cast("list[Json]", chunk.to_dict()["choices"])
    told = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    return "".join(each.get("content") or "" for each in told)


def first_token(stream: Stream[ChatCompletionChunk]) -> str:
    return next(content for chunk in stream if (content := content_of(chunk)))


@pytest.mark.parametrize("mode", MODES)
def test_the_first_token_comes_while_the_last_one_is_held_back(desk: Desk, mode: str) -> None:
    hold_the_last(desk)

    with open_stream(desk, *asked(desk, mode)) as stream:
        first = first_token(stream)
        desk.simulator.until_waiting(desk.tenant.owner)
        desk.simulator.release(desk.tenant.owner)
        rest = "".join(map(content_of, stream))

    assert first
    assert rest


def test_a_stream_that_breaks_ends_with_an_error_behind_its_tokens(desk: Desk) -> None:
    desk.simulator.behave(desk.fault("broken_stream", when="last_token"))
    told: list[str] = []

    with (
        open_stream(desk, *asked(desk, "one model")) as stream,
        pytest.raises(openai.APIError) as caught,
    ):
        told.extend(map(content_of, stream))

    assert "".join(told)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]


def test_a_refusal_before_the_first_token_has_its_status(desk: Desk) -> None:
    desk.simulator.behave(desk.fault("status", status=400))

    with pytest.raises(openai.BadRequestError):
        open_stream(desk, *asked(desk, "one model"))
