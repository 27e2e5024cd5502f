"""Models asked at once, through the deployed API: its response streaming, its roles, and its hand-over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import permutations
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Json, assert_promises, open_desk
from tests.patience import wait_until

pytestmark = pytest.mark.of("anthropic", "cohere")

OTHER, FAST, BAD = "gpt-4o-mini", "claude-haiku-4-5", "command-r"
FASTEST = {"fastest_response": True}


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def said(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


def post(desk: Desk, route: str, body: Json, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{desk.cloud.base_url}{route}",
        json=body,
        headers={"authorization": f"Bearer {desk.tenant.key}", **headers},
        timeout=60,
        trust_env=False,
    )


def own_hold(desk: Desk, **more: Any) -> Json:
    """A hold of this tenant's calls; its client's going away ends it."""
    return desk.fault("hold", "POST", "/chat/completions", name=desk.tenant.owner, **more)


def own_fault(desk: Desk, kind: str, model: str, **more: Any) -> Json:
    """A fault that meets a model that everybody may ask where this tenant's name is in the prompt."""
    return {"kind": kind, "match": {"model": model, "text": desk.tenant.owner}, **more}


def test_one_model_answers_whole_and_as_a_stream(desk: Desk) -> None:
    asked: Json = {"model": desk.tenant.model, "messages": said("Hello!")}

    whole = desk.client.chat.completions.create(**asked)
    chunks: Any = desk.client.chat.completions.create(**asked, stream=True)

    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole.model == desk.tenant.model
    assert told == whole.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_race_returns_while_the_loser_is_still_held(
    desk: Desk, order: tuple[int, ...], *, stream: bool
) -> None:
    """Nobody answers before all have come; the loser, whose stream was open first, is never released."""
    slow, simulator = desk.tenant.model, desk.simulator
    simulator.behave(
        own_hold(desk, when="first_token"),
        own_fault(desk, "hold", FAST, name="fast"),
        own_fault(desk, "status", BAD, status=400),
    )
    ask = partial(
        desk.client.chat.completions.with_raw_response.create,
        model=", ".join([slow, FAST, BAD][place] for place in order),
        messages=said(f"{desk.tenant.owner}: who is first?"),
        stream=stream,
        extra_body=FASTEST,
    )

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        for name in (desk.tenant.owner, "fast"):
            simulator.until_waiting(name)
        wait_until(lambda: BAD in [call["model"] for call in simulator.calls(status="400")])
        simulator.release("fast")
        headers = asked.result().headers

    report = {line["model"]: line["outcome"] for line in json.loads(headers["x-nightmail-race"])}
    assert headers["x-nightmail-winner"] == FAST
    assert headers["x-request-id"]
    assert report == {slow: "cancelled", FAST: "won", BAD: "failed"}
    (loser,) = simulator.until_calls("disconnected", key=desk.tenant.provider_key[-4:])
    assert loser["events"]["held"] < loser["events"]["disconnected"]
    assert "released" not in loser["events"]


def test_every_answer_and_an_error_in_its_place(desk: Desk) -> None:
    body = {"models": [OTHER, "nobody-knows", desk.tenant.model], "messages": said("Hi")}

    answer = post(desk, "/batch_completion_models_all_responses", body).json()

    assert [each["model"] for each in answer["data"]] == body["models"]
    assert ["error" in each for each in answer["data"]] == [False, True, False]


def test_embeddings_as_the_client_asks_for_them(desk: Desk) -> None:
    made = desk.client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])

    assert [each.index for each in made.data] == [0, 1]


def test_an_answer_over_5_mb_lies_in_the_bucket(desk: Desk) -> None:
    body = {"model": desk.tenant.model, "messages": [said("[[long:40000]]")] * 30}

    answer = post(desk, "/batch_completion", body)

    assert answer.status_code == 303
    elsewhere = httpx.get(answer.headers["location"], trust_env=False, timeout=60)
    assert len(elsewhere.json()["data"]) == 30


def test_prompts_that_are_not_done_in_time_end_as_a_batch_and_are_asked_once(desk: Desk) -> None:
    """Four are answered at once, one has failed for good, and one is under way when the time is over."""
    requests = desk.questions(6)
    requests[4]["body"]["messages"] = said(f"{desk.tenant.owner} [[fail:400]]")
    requests[5]["body"]["messages"] = said(f"{desk.tenant.owner} is late")
    hold = own_hold(desk, times=1)
    hold["match"]["text"] = "is late"
    desk.simulator.behave(hold)
    prompts = [
        {"custom_id": each["custom_id"], "messages": each["body"]["messages"]} for each in requests
    ]

    body = {"model": desk.tenant.model, "messages": prompts}
    answer = post(desk, "/batch_completion", body, prefer="wait=3")

    assert answer.status_code == 202
    batch = desk.client.batches.retrieve(answer.json()["id"])
    journey = desk.finish(requests, batch)
    assert journey.end.status == "completed"
    assert answer.headers["location"] == f"/v1/batches/{batch.id}"
    assert [line["custom_id"] for line in journey.errors] == [requests[4]["custom_id"]]
    assert len(desk.calls(path="/chat/completions")) == len(requests) + 1
    assert_promises(journey, desk.simulator)


def test_prompts_for_later_take_the_providers_batches(desk: Desk) -> None:
    requests = desk.questions(3)
    prompts = [
        {"custom_id": each["custom_id"], "messages": each["body"]["messages"]} for each in requests
    ]

    body = {"model": desk.tenant.model, "messages": prompts}
    answer = post(desk, "/batch_completion", body, prefer="respond-async")

    assert answer.headers["preference-applied"] == "respond-async"
    journey = desk.finish(requests, desk.client.batches.retrieve(answer.json()["id"]))
    assert journey.end.status == "completed"
    assert len(desk.provider_batches(journey.end.id)) == 1
    assert_promises(journey, desk.simulator)
