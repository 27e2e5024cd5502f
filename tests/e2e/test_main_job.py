"""The main job, by OpenAI's own client: only its base URL and its key are the gateway's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from local.build import ROOT
from local.simulator.answers import digest
from local.simulator.embeddings import rows
from tests.e2e.conftest import RunningCloud
from tests.e2e.driver import CHAT, Desk, assert_promises, open_desk, request, to_jsonl

QUESTIONS = Path(os.environ.get("NIGHTMAIL_DATA", ROOT.parent / "shared/data")) / "gsm8k-test.jsonl"
UNKNOWN_FILE = "file-0000000000000000000000"
UNKNOWN_BATCH = "batch_00000000000000000000000000000000"


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


@pytest.fixture
def other_desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


def test_a_file_goes_in_and_its_results_come_out(desk: Desk) -> None:
    requests = desk.questions(25)

    journey = desk.run(requests)

    assert_promises(journey, desk.simulator)
    assert journey.end.status == "completed"
    assert journey.end.error_file_id is None
    assert [line["custom_id"] for line in journey.output] == [
        each["custom_id"] for each in requests
    ]


def test_all_that_the_client_does_with_files_and_batches_works(desk: Desk) -> None:
    client = desk.client
    content = to_jsonl(desk.questions(2))
    file_id = desk.upload(content)
    assert client.files.retrieve(file_id).bytes == len(content)
    assert client.files.content(file_id).read() == content

    batches = [desk.start(desk.questions(1), metadata={"number": str(n)}) for n in range(5)]
    listed = list(client.batches.list(limit=2))
    assert [batch.id for batch in listed] == [batch.id for batch in reversed(batches)]
    assert listed[0].metadata == {"number": "4"}
    files = [file.id for file in client.files.list(limit=2, purpose="batch", order="asc")]
    assert files[0] == file_id
    assert len(files) == 6

    for batch in batches:
        desk.follow(batch)
    assert client.files.delete(file_id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file_id)


def test_models_are_those_of_the_config(desk: Desk) -> None:
    listed = {model.id for model in desk.client.models.list()}
    assert {desk.tenant.model, "gpt-5-mini"} <= listed
    assert desk.client.models.retrieve(desk.tenant.model).id == desk.tenant.model


def test_a_cancelled_batch_delivers_what_was_done(desk: Desk) -> None:
    desk.simulator.behave(desk.fault("stuck_batch", after_lines=12, name=desk.tenant.owner))
    requests = desk.questions(30)
    batch = desk.start(requests)
    desk.simulator.until_waiting(desk.tenant.owner)

    cancelling = desk.client.batches.cancel(batch.id)
    journey = desk.finish(requests, cancelling)

    assert cancelling.status == "cancelling"
    assert journey.end.status == "cancelled"
    assert len(journey.output) == 12
    assert {line["error"]["code"] for line in journey.errors} == {"batch_cancelled"}
    assert_promises(journey, desk.simulator)


def test_lines_that_fail_stand_in_the_error_file_and_their_neighbours_go_on(desk: Desk) -> None:
    requests = desk.questions(10)
    for number, status in ((2, 400), (5, 404), (9, 422)):
        requests[number]["body"]["messages"][0]["content"] += f" [[fail:{status}]]"

    journey = desk.run(requests)

    assert_promises(journey, desk.simulator)
    assert journey.end.status == "completed"
    statuses = {line["custom_id"]: line["response"]["status_code"] for line in journey.errors}
    wanted = {2: 400, 5: 404, 9: 422}
    assert statuses == {requests[number]["custom_id"]: wanted[number] for number in wanted}


def test_a_batch_whose_lines_all_fail_is_completed_and_has_no_output_file(desk: Desk) -> None:
    requests = desk.questions(4, "[[fail:400]] {number}")

    journey = desk.run(requests)

    assert_promises(journey, desk.simulator)
    assert journey.end.status == "completed"
    assert journey.end.output_file_id is None
    assert len(journey.errors) == 4


def test_embeddings_are_a_batch_too(desk: Desk) -> None:
    model, url = "text-embedding-3-small", "/v1/embeddings"
    bodies = [{"model": model, "input": f"{desk.tenant.owner} {word}"} for word in ("moth", "owl")]
    requests = [
        {"custom_id": body["input"], "method": "POST", "url": url, "body": body} for body in bodies
    ]

    end = desk.follow(desk.start(requests, endpoint=url))[-1]

    lines = desk.lines(end.output_file_id)
    answers = [line["response"]["body"] for line in lines]
    assert [line["custom_id"] for line in lines] == [body["input"] for body in bodies]
    assert [answer["data"] for answer in answers] == [rows(body, digest(body)) for body in bodies]
    assert {answer["model"] for answer in answers} == {model}


ROUTES: dict[str, Callable[[OpenAI, str, str], Any]] = {
    "retrieve a file": lambda client, file, _: client.files.retrieve(file),
    "read a file": lambda client, file, _: client.files.content(file),
    "delete a file": lambda client, file, _: client.files.delete(file),
    "retrieve a batch": lambda client, _, batch: client.batches.retrieve(batch),
    "cancel a batch": lambda client, _, batch: client.batches.cancel(batch),
}


@pytest.mark.parametrize("route", ROUTES)
def test_what_another_owner_made_is_as_unknown_as_what_nobody_made(
    route: str, desk: Desk, other_desk: Desk
) -> None:
    batch = desk.start(desk.questions(1))
    end = desk.follow(batch)[-1]
    assert end.output_file_id

    refusals = []
    for file_id, batch_id in ((end.output_file_id, batch.id), (UNKNOWN_FILE, UNKNOWN_BATCH)):
        with pytest.raises(openai.NotFoundError) as refused:
            ROUTES[route](other_desk.client, file_id, batch_id)
        text = json.dumps(refused.value.body)
        refusals.append(text.replace(file_id, "ID").replace(batch_id, "ID"))

    assert refusals[0] == refusals[1]
    assert "ID" in refusals[0]
    assert desk.client.batches.retrieve(batch.id).status == "completed"
    assert len(desk.lines(end.output_file_id)) == 1


def test_another_owners_lists_are_empty_and_its_file_is_no_input(
    desk: Desk, other_desk: Desk
) -> None:
    file_id = desk.upload(to_jsonl(desk.questions(1)))

    assert list(other_desk.client.files.list()) == []
    assert list(other_desk.client.batches.list()) == []
    ends = []
    for input_file_id in (file_id, UNKNOWN_FILE):
        batch = other_desk.client.batches.create(
            input_file_id=input_file_id, endpoint=CHAT, completion_window="24h"
        )
        end = other_desk.follow(batch)[-1]
        assert end.errors
        ends.append((end.status, end.errors.to_json().replace(input_file_id, "ID")))
    assert ends[0] == ends[1]
    assert ends[0][0] == "failed"


@pytest.mark.skipif(not QUESTIONS.exists(), reason=f"the real questions are not there: {QUESTIONS}")
def test_real_questions_run_as_one_batch(desk: Desk) -> None:
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    requests = [
        request(f"gsm8k-{number}", f"{desk.tenant.owner}: {question}", desk.tenant.model)
        for number, question in enumerate(questions)
    ]

    journey = desk.run(requests)

    assert_promises(journey, desk.simulator)
    assert journey.end.status == "completed"
    assert len(journey.output) == len(questions)
