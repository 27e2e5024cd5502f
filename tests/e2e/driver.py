"""A tenant at work: makes batches with OpenAI's client, follows them to their end, and checks them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import httpx
from nightmail.batch import NEXT, BatchStatus
from openai import OpenAI
from openai.types import Batch

from local.simulator.answers import digest
from local.simulator.client import SimulatorClient
from tests.e2e.conftest import RunningCloud
from tests.e2e.tenants import Tenant
from tests.patience import wait_until

Json = dict[str, Any]

CHAT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
PART_BYTES = 4_000_000
FINAL = {status.value for status in BatchStatus if status.is_final}


def before(call: str) -> Json:
    """A kill at a call of AWS that has no effect any more; as in local.chaos."""
    return {"call": call, "moment": "before"}


def after(call: str) -> Json:
    """A kill at a call of AWS that had its effect."""
    return {"call": call, "moment": "after"}


def request(custom_id: str, text: str, model: str) -> Json:
    """One line of a batch file: a chat."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}


def to_jsonl(requests: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in requests)


def details_of(batch: Batch) -> Json:
    found: Json = (batch.model_extra or {})["nightmail"]
    return found


@dataclass(frozen=True)
class Journey:
    """A batch from its creation to its final status, as its owner saw it."""

    requests: Sequence[Json]
    looks: list[Batch]
    output: list[Json]
    errors: list[Json]

    @property
    def end(self) -> Batch:
        return self.looks[-1]

    @property
    def details(self) -> Json:
        """What the gateway tells of the batch that OpenAI has no words for."""
        return details_of(self.end)


class Page(NamedTuple):
    """Lines of a batch that are there, where to go on, and whether nothing more will come."""

    lines: list[Json]
    cursor: str
    is_last: bool


class Desk:
    """Where a tenant works: its client, its faults, its kills."""

    def __init__(self, cloud: RunningCloud, tenant: Tenant) -> None:
        self.cloud = cloud
        self.tenant = tenant
        self.client = OpenAI(base_url=cloud.base_url, api_key=tenant.key)

    @property
    def simulator(self) -> SimulatorClient:
        return self.cloud.simulator

    def questions(
        self, count: int, text: str = "What is {number} plus {number}?", model: str | None = None
    ) -> list[Json]:
        """Chats that nobody else asks, so that the simulator's ledger tells who paid for them."""
        return [
            request(
                f"{self.tenant.owner} q-{number}",
                f"{self.tenant.owner}: {text.format(number=number)}",
                model or self.tenant.model,
            )
            for number in range(count)
        ]

    def fault(self, kind: str, method: str = "*", path: str = "*", **details: Any) -> Json:
        """A fault of the simulator (see local.simulator.faults) that meets this tenant alone."""
        match = {"method": method, "path": path, "key": self.tenant.provider_key}
        return {"kind": kind, "match": match, **details}

    def calls(self, **wanted: str) -> list[Json]:
        """The calls that the simulator got with this tenant's key."""
        return [
            call
            for call in self.simulator.calls(**wanted)
            if call["key"] == self.tenant.provider_key[-4:]
        ]

    def billed(self) -> list[Json]:
        """What the simulator has billed to this tenant: to its key, or for a model of its own."""
        own = [row for row in self.simulator.billed() if self.tenant.owner in row["model"]]
        return own + self.simulator.billed(self.tenant.provider_key)

    def provider_batches(self, batch_id: str) -> list[Json]:
        """The simulator's batches that were made for a batch, as they truly are."""
        found = self.simulator.batches()
        return [each for each in found if batch_id in (each["metadata"] or {}).values()]

    def kill(self, function: str, when: str | Json = "start", times: int = 1) -> None:
        """Kill a function's process when it works for this tenant."""
        self.cloud.kill_function(function, when, times, event=self.tenant.owner)

    def killed(self) -> list[str]:
        """The functions whose processes were killed while they worked for this tenant."""
        stack = f"{self.cloud.running.stack.name}-"
        done = self.cloud.kills()["done"]
        own = [order["function"] for order in done if order["event"] == self.tenant.owner]
        return [function.removeprefix(stack) for function in own]

    def upload(self, content: bytes) -> str:
        """The id of a new input file; a big one goes up in parts."""
        if len(content) <= PART_BYTES:
            return self.client.files.create(file=("batch.jsonl", content), purpose="batch").id
        upload = self.client.uploads.upload_file_chunked(
            file=content,
            filename="batch.jsonl",
            bytes=len(content),
            mime_type="application/jsonl",
            purpose="batch",
            part_size=PART_BYTES,
        )
        assert upload.file
        return upload.file.id

    def start(
        self,
        requests: Sequence[Json] | bytes,
        endpoint: Any = CHAT,
        window: Any = "24h",
        **options: Any,
    ) -> Batch:
        content = requests if isinstance(requests, bytes) else to_jsonl(requests)
        return self.client.batches.create(
            input_file_id=self.upload(content),
            endpoint=endpoint,
            completion_window=window,
            **options,
        )

    def follow(self, batch: Batch, pause_seconds: float = 0.1) -> list[Batch]:
        """Every look at the batch, the last one at its final status."""
        looks = [batch]

        def has_ended() -> bool:
            if looks[-1].status in FINAL:
                return True
            looks.append(self.client.batches.retrieve(batch.id))
            return False

        wait_until(has_ended, pause_seconds)
        return looks

    def run(self, requests: Sequence[Json], pause_seconds: float = 0.1) -> Journey:
        return self.finish(requests, self.start(requests), pause_seconds)

    def finish(self, requests: Sequence[Json], batch: Batch, pause_seconds: float = 0.1) -> Journey:
        looks = self.follow(batch, pause_seconds)
        end = looks[-1]
        return Journey(
            requests, looks, self.lines(end.output_file_id), self.lines(end.error_file_id)
        )

    def retry(self, batch_id: str) -> Batch:
        """A new batch of the lines that failed."""
        return self.client.post(f"/batches/{batch_id}/retry", cast_to=Batch)

    def read_output(self, batch_id: str, **query: str) -> Page:
        """What is there of a batch."""
        answer = self.client.get(
            f"/batches/{batch_id}/output", cast_to=httpx.Response, options={"params": query}
        )
        lines = [json.loads(line) for line in answer.content.splitlines()]
        is_last = "x-nightmail-incomplete" not in answer.headers
        return Page(lines, answer.headers["x-nightmail-cursor"], is_last)

    def lines(self, file_id: str | None) -> list[Json]:
        """The content of a result file; nothing where there is none."""
        if file_id is None:
            return []
        return [json.loads(line) for line in self.client.files.content(file_id).read().splitlines()]


@contextmanager
def open_desks_of(cloud: RunningCloud, tenants: Iterable[Tenant]) -> Iterator[list[Desk]]:
    """Desks of these tenants; what was set to go wrong is forgotten with them."""
    desks = [Desk(cloud, tenant) for tenant in tenants]
    with ExitStack() as stack:
        stack.callback(cloud.forget_kills)
        stack.callback(cloud.simulator.release)
        stack.callback(cloud.simulator.behave)
        for desk in desks:
            stack.enter_context(desk.client)
        yield desks


@contextmanager
def open_desks(cloud: RunningCloud, count: int) -> Iterator[list[Desk]]:
    """Desks of new tenants."""
    with open_desks_of(cloud, [cloud.new_tenant() for _ in range(count)]) as desks:
        yield desks


@contextmanager
def open_desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desks(cloud, 1) as desks:
        yield desks[0]


@contextmanager
def open_buyers_desk(cloud: RunningCloud) -> Iterator[Desk]:
    """The desk of a new tenant with the models of `market`."""
    with open_desks_of(cloud, [cloud.new_buyer()]) as desks:
        yield desks[0]


def side_by_side(*calls: Callable[[], Journey]) -> list[Journey]:
    """Run all at the same time: most of their time they wait."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def assert_promises(journey: Journey, simulator: SimulatorClient, most_again: int = 0) -> None:
    """What holds for every batch that was planned, whatever went wrong on its way.

    At most `most_again` calls were made although their lines had been called before.
    """
    assert_well_told(journey)
    asked = {each["custom_id"]: each for each in journey.requests}
    for line in journey.output:
        _assert_answers(line, asked[line["custom_id"]])
    assert called_again(journey.requests, simulator) <= most_again, "executed more than once"


def assert_well_told(journey: Journey) -> None:
    """What its owner was told is true: one outcome for each line, in order, and right figures."""
    _assert_life(journey.looks)
    _assert_one_outcome_each(journey)
    _assert_figures(journey)


def _assert_life(looks: list[Batch]) -> None:
    statuses = [BatchStatus(look.status) for look in looks]
    for before, after in pairwise(statuses):
        assert after is before or after in _reachable(before), f"{before} became {after}"
    counts = [
        (look.request_counts.completed, look.request_counts.failed)
        for look in looks
        if look.request_counts
    ]
    assert counts == sorted(counts)
    assert [failed for _, failed in counts] == sorted(failed for _, failed in counts)


def _reachable(status: BatchStatus) -> set[BatchStatus]:
    following = set(NEXT[status])
    return following.union(*(_reachable(each) for each in following))


def _assert_one_outcome_each(journey: Journey) -> None:
    places = {each["custom_id"]: place for place, each in enumerate(journey.requests)}
    found = [
        [places[line["custom_id"]] for line in lines] for lines in (journey.output, journey.errors)
    ]
    assert found == [sorted(found[0]), sorted(found[1])], "not in the order of the input"
    assert sorted(found[0] + found[1]) == list(range(len(journey.requests)))


def _assert_figures(journey: Journey) -> None:
    end = journey.end
    assert end.request_counts is not None
    assert end.request_counts.to_dict() == {
        "total": len(journey.requests),
        "completed": len(journey.output),
        "failed": len(journey.errors),
    }
    assert end.usage is not None
    usages = [line["response"]["body"]["usage"] for line in journey.output]
    assert end.usage.input_tokens == sum(usage["prompt_tokens"] for usage in usages)
    assert end.usage.output_tokens == sum(usage.get("completion_tokens", 0) for usage in usages)


def _assert_answers(line: Json, asked: Json) -> None:
    """An answer is that of its own request, under the public name of the model."""
    response = line["response"]
    assert line["error"] is None
    assert response["status_code"] == 200
    assert f"[sim {digest(asked['body'])}]" in response["body"]["choices"][0]["message"]["content"]
    assert response["body"]["model"] == asked["body"]["model"]


def called_again(requests: Sequence[Json], simulator: SimulatorClient) -> int:
    """How many more calls were made than there are requests that were called."""
    digests = Counter(digest(each["body"]) for each in requests)
    assert max(digests.values()) == 1, "the test's own requests have to differ"
    ledgers = (simulator.paid(), simulator.attempts())
    return max(
        sum(times - 1 for each, times in ledger.items() if each in digests) for ledger in ledgers
    )
