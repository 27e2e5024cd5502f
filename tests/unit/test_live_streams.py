"""Streams go out as they come: the first token while the provider still holds the last one back."""

from __future__ import annotations

import importlib
from typing import Any

import orjson
import pytest
from nightmail.runtime.streamed import StreamedAnswer

from local.simulator.client import SimulatorClient
from tests.unit.calling import FAST, OTHER, Json, configure, said
from tests.unit.gateway import LambdaContext, proxy_event

ONE = {"messages": said("[[long:30]]"), "stream": True}
STREAMS = [
    ("/chat/completions", {"model": FAST, **ONE}),
    ("/chat/completions", {"model": [FAST, OTHER], **ONE}),
    ("/chat/completions", {"model": [FAST, OTHER], "fastest_response": True, **ONE}),
    ("/batch_completion_models", {"models": [FAST, OTHER], **ONE}),
    ("/batch_completion_models_all_responses", {"models": [FAST, OTHER], **ONE}),
]


@pytest.fixture(autouse=True)
def _models(aws: None, simulator: SimulatorClient) -> None:
    configure(simulator)


def begin(route: str, body: Json, milliseconds: int = 60_000) -> StreamedAnswer:
    """What the function has answered when its handler returns."""
    folder = route.strip("/").replace("/", "_")
    handler = importlib.import_module(f"functions.{folder}.handler").handler
    event = proxy_event("POST", route, body=orjson.dumps(body).decode())
    answer = handler(event, LambdaContext(remaining_milliseconds=milliseconds))
    assert isinstance(answer, StreamedAnswer)
    return answer


def data_of(piece: bytes) -> Any:
    return orjson.loads(piece.removeprefix(b"data: "))


@pytest.mark.parametrize(("route", "body"), STREAMS)
def test_the_first_tokens_come_while_the_last_is_held(
    simulator: SimulatorClient, route: str, body: Json
) -> None:
    simulator.behave({"kind": "hold", "when": "last_token"})

    answer = begin(route, body)
    first = next(answer.body)

    assert answer.status == 200
    assert data_of(first)["object"] == "chat.completion.chunk"
    simulator.until_calls("held")
    assert simulator.release() > 0
    assert list(answer.body)[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize(("route", "body"), STREAMS)
def test_a_stream_that_is_let_go_of_ends_the_providers_call(
    simulator: SimulatorClient, route: str, body: Json
) -> None:
    simulator.behave({"kind": "hold", "when": "last_token"})
    answer = begin(route, body)
    next(answer.body)

    answer.body.close()

    assert simulator.until_calls("disconnected")


def test_prompts_come_as_they_are_answered(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "hold", "match": {"text": "Late?"}})
    body = {"model": FAST, "messages": [said("Late?"), said("Soon?")], "stream": True}

    answer = begin("/batch_completion", body)

    assert data_of(next(answer.body))["index"] == 1
    simulator.until_calls("held")
    simulator.release()
    late, done = answer.body
    assert data_of(late)["index"] == 0
    assert done == b"data: [DONE]\n\n"


def test_prompts_that_are_late_for_a_stream_go_on_as_a_batch_which_is_its_last_event(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "hold", "match": {"text": "Late?"}})
    body = {"model": FAST, "messages": [said("Late?"), said("Soon?")], "stream": True}

    soon, batch, done = begin("/batch_completion", body, milliseconds=5000).body

    assert data_of(soon)["index"] == 1
    assert data_of(batch)["object"] == "batch"
    assert done == b"data: [DONE]\n\n"
    assert len(simulator.until_calls("disconnected")) == 1
