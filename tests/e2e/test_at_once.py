"""Models asked at once, through the deployed API: its response streaming, its roles, and its hand-over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import Desk, Json, assert_promises, open_desk

OTHER = "gpt-4o-mini"
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


def test_one_model_answers_whole_and_as_a_stream(desk: Desk) -> None:
    asked: Json = {"model": desk.tenant.model, "messages": said("Hello!")}

    whole = desk.client.chat.completions.create(**asked)
    chunks: Any = desk.client.chat.completions.create(**asked, stream=True)

    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole.model == desk.tenant.model
    assert told == whole.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_a_race_returns_while_the_loser_is_still_held(desk: Desk, *, stream: bool) -> None:
    desk.simulator.behave(own_hold(desk, when="first_token"))

    raw = desk.client.chat.completions.with_raw_response.create(
        model=f"{desk.tenant.model}, {OTHER}",
        messages=said("Who is first?"),
        stream=stream,
        extra_body=FASTEST,
    )

    assert raw.headers["x-nightmail-winner"] == OTHER
    assert raw.headers["x-request-id"]
    key = desk.tenant.provider_key[-4:]
    assert len(desk.simulator.until_calls("disconnected", key=key)) == 1


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
