"""A whole batch's life within the process: stores in memory, the simulator as provider, a fake clock.

`World.run` drives the steps as the state machine does, and looks at the batch before every state as a
caller would: counts never go back, a final status stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import boto3
from nightmail.batch import Batch, BatchStatus
from nightmail.batch_object import to_batch_object
from nightmail.chunk import Chunk
from nightmail.deployment import Deployment, Lane
from nightmail.file import Segment, StoredFile
from nightmail.payloads import BatchTask, ChunkTask, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, ProviderOf
from nightmail.providers.direct import DirectOf, DirectProvider
from nightmail.providers.registry import open_direct, open_provider
from nightmail.shard import Shard
from nightmail.steps.collect_shard import collect_shard
from nightmail.steps.fail_batch import fail_batch
from nightmail.steps.finalize_batch import finalize_batch
from nightmail.steps.input_checks import PlanLimits
from nightmail.steps.plan_batch import Planner, plan_batch
from nightmail.steps.poll_shard import poll_shard
from nightmail.steps.run_chunk import Worker, WorkTime, run_chunk
from nightmail.steps.submit_shard import submit_shard
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import Parts
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.stores import Stores
from nightmail.stores.table import Table

from local.simulator import answers
from local.simulator.client import SimulatorClient
from tests.unit.conftest import ENVIRONMENT
from tests.unit.fate import Fate, Mortal
from tests.unit.machine import Ended, Json, Machine
from tests.unit.memory import MemoryDynamo, MemoryS3
from tests.unit.samples import BATCH_ID, NOW, sample_batch

LEASE_SECONDS = 605
MODEL = "gpt-5-mini"
UPSTREAM_MODEL = "gpt-5-mini-upstream"
KEY = "sk-upstream-0123456789"
CHAT = "/v1/chat/completions"


@dataclass
class Results:
    """The files of a batch: lines in their order."""

    output: list[Json]
    errors: list[Json]
    raw: tuple[bytes, bytes]

    @property
    def error_codes(self) -> list[str]:
        return [line["error"]["code"] for line in self.errors]


@dataclass
class World:
    simulator: SimulatorClient
    dynamo: Any = field(default_factory=MemoryDynamo)
    s3: Any = field(default_factory=MemoryS3)
    table: str = "table"
    bucket: str = "bucket"
    fate: Fate = field(default_factory=Fate)
    now: int = NOW
    lines_a_run: int = 0  # how many lines a long step takes before its time is up; 0: all
    api_base: str = ""  # the simulator's, if empty
    cancel_at: str = ""  # the state before which the caller cancels
    provider: str = "openai"
    lane: Lane = "auto"  # the deployment's
    limits: Json = field(default_factory=dict)  # the deployment's rpm and others
    chunk_lines: int = 1000
    concurrency: int = 10  # calls of a worker in flight
    work_seconds: float = 60  # after which a worker's calls are cut off

    def __post_init__(self) -> None:
        table = Table(self.mortal(self.dynamo), self.table)
        objects = ObjectStore(self.mortal(self.s3), self.bucket)
        self.stores = Stores(BatchStore(table), Parts.of_table(table), FileStore(table), objects)
        self.quotas = QuotaStore(table)
        limits = PlanLimits(
            lines=50_000, bytes=200 * 1024 * 1024, concurrency=1, chunk_lines=self.chunk_lines
        )
        self.provider_of: ProviderOf = self._open_provider
        self.direct_of: DirectOf = self._open_direct
        self.planner = Planner(self.stores, self.deployments_of, self.provider_of, limits)
        self._seen: Json = {}
        self.under_way: tuple[str, Json] = ("", {})  # the state and its function's payload
        self.machine = Machine(self._tasks(), self.stores.objects.get, self.wait, self._entered)

    def mortal(self, real: Any) -> Any:
        return Mortal(real, self.fate)

    def deployments_of(self, model: str, _: str | None = None) -> list[Deployment]:
        return [
            Deployment(
                name=model,
                provider=self.provider,
                model=UPSTREAM_MODEL,
                api_base=self.api_base or self.simulator.base_of(self.provider),
                api_key="os.environ/UPSTREAM_KEY",
                lane=self.lane,
                **self.limits,
            )
        ]

    def _open_provider(self, deployment: Deployment) -> BatchProvider:
        return cast(BatchProvider, self.mortal(open_provider(deployment, KEY)))

    def _open_direct(self, deployment: Deployment) -> DirectProvider:
        return open_direct(deployment, KEY)

    @classmethod
    def in_aws(cls, simulator: SimulatorClient, **more: Any) -> World:
        """One whose stores lie where the functions look for them."""
        table, bucket = ENVIRONMENT["TABLE_NAME"], ENVIRONMENT["BUCKET_NAME"]
        dynamo, s3 = boto3.client("dynamodb"), boto3.client("s3")
        return cls(simulator, dynamo=dynamo, s3=s3, table=table, bucket=bucket, **more)

    # ---- a life

    def create(self, lines: Sequence[Json] | bytes, **changes: Any) -> Batch:
        """A file and its batch, as the API leaves them."""
        content = lines if isinstance(lines, bytes) else as_jsonl(lines)
        segment = self.stores.objects.put("files/alice/file-in", content)
        self.stores.files.create(input_file(segment))
        batch = sample_batch(**changes)
        self.stores.batches.create(batch)
        return batch

    def run(self) -> Ended:
        """Execute the state machine to its end."""
        ended = self.machine.run({"v": 1, "owner": "alice", "batch_id": BATCH_ID})
        self._entered("the end")
        return ended

    def step(self, state: str, part: int | None = None) -> Json:
        """Run one function; `part` is the number of a shard, or of a chunk."""
        payload: Json = {"v": 1, "owner": "alice", "batch_id": BATCH_ID}
        kind = "chunk" if state == "RunChunk" else "shard"
        return self._tasks()[state](payload if part is None else {**payload, kind: part})

    def wait(self, seconds: float) -> None:
        self.now += round(seconds)

    def cancel(self) -> None:
        """What the API writes when its caller cancels."""
        batch = self.batch
        if batch.status in {BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS}:
            self.stores.batches.save(batch.move_to(BatchStatus.CANCELLING, self.now))

    # ---- what came of it

    @property
    def batch(self) -> Batch:
        return self.stores.batches.get("alice", BATCH_ID)

    @property
    def shards(self) -> list[Shard]:
        return list(self.stores.parts.shards.list(BATCH_ID))

    @property
    def shard(self) -> Shard:
        """The only one."""
        (shard,) = self.shards
        return shard

    def change_shard(self, **changes: Any) -> None:
        """Write other values into the only shard, as if they had come about."""
        self.stores.parts.shards.save(self.shard.model_copy(update=changes))

    @property
    def chunks(self) -> list[Chunk]:
        return list(self.stores.parts.chunks.list(BATCH_ID))

    def provider_batches(self, shard: int = 1) -> list[Json]:
        """What the provider started for a shard, oldest first."""
        return [
            batch
            for batch in self.simulator.batches()
            if batch["metadata"]["nightmail_shard"] == str(shard)
        ]

    def results(self) -> Results:
        batch = self.batch
        output, errors = self._content(batch.output_file_id), self._content(batch.error_file_id)
        return Results(_lines(output), _lines(errors), (output, errors))

    def check_promises(self, lines: Sequence[Json], paid_once: bool = True) -> Results:
        """Each line has one outcome, in order, its own; the counts add up; nothing is paid twice."""
        batch, results = self.batch, self.results()
        assert batch.status.is_final
        wanted = [line["custom_id"] for line in lines]
        for some in (results.output, results.errors):
            places = [wanted.index(line["custom_id"]) for line in some]
            assert places == sorted(places)
        found = [line["custom_id"] for line in results.output + results.errors]
        assert sorted(found) == sorted(wanted)
        assert batch.counts.total == len(lines)
        assert batch.counts.completed == len(results.output)
        assert batch.counts.failed == len(results.errors)
        bodies = {line["custom_id"]: line["body"] for line in lines}
        for answered in results.output:
            _check_answer(answered, bodies[answered["custom_id"]])
        if paid_once:
            assert all(count == 1 for count in self.simulator.paid().values())
        return results

    def _content(self, file_id: str | None) -> bytes:
        if file_id is None:
            return b""
        file = self.stores.files.get("alice", file_id, self.now)
        content = b"".join(self.stores.objects.chunks(file.segments))
        assert len(content) == file.bytes
        return content

    # ---- the functions

    def _tasks(self) -> dict[str, Callable[[Json], Json]]:
        functions = {
            "PlanBatch": self._plan,
            "SubmitShard": self._submit,
            "PollShard": self._poll,
            "CollectShard": self._collect,
            "RunChunk": self._run_chunk,
            "FinalizeBatch": self._finalize,
            "FailBatch": self._fail,
        }
        return {state: partial(self._invoke, state, step) for state, step in functions.items()}

    def _plan(self, payload: Json) -> StepResult:
        task = BatchTask.model_validate(payload)
        return plan_batch(task, self.planner, self._clock, self._time_is_up())

    def _submit(self, payload: Json) -> StepResult:
        task = ShardTask.model_validate(payload)
        return submit_shard(task, self.stores, self.provider_of, self._clock, LEASE_SECONDS)

    def _poll(self, payload: Json) -> StepResult:
        task = ShardTask.model_validate(payload)
        return poll_shard(task, self.stores, self.provider_of, self._clock)

    def _collect(self, payload: Json) -> StepResult:
        task, up = ShardTask.model_validate(payload), self._time_is_up()
        return collect_shard(task, self.stores, self.provider_of, self._clock, up)

    def _run_chunk(self, payload: Json) -> StepResult:
        begun_at = time.monotonic()
        clock = lambda: self.now + time.monotonic() - begun_at  # noqa: E731 - limits need real time
        worker = Worker(self.stores, self.quotas, self.direct_of, clock, self.concurrency)
        work_time = WorkTime(self._time_is_up(), self.work_seconds)
        return run_chunk(ChunkTask.model_validate(payload), worker, work_time)

    def _finalize(self, payload: Json) -> StepResult:
        task, up = BatchTask.model_validate(payload), self._time_is_up()
        return finalize_batch(task, self.stores, self.provider_of, self._clock, up)

    def _fail(self, payload: Json) -> StepResult:
        task, up = BatchTask.model_validate(payload), self._time_is_up()
        return fail_batch(task, self.stores, self.provider_of, self._clock, up)

    def _clock(self) -> int:
        return self.now

    def _invoke(self, state: str, step: Callable[[Json], StepResult], payload: Json) -> Json:
        self.under_way = state, payload
        self.fate.inside, self.fate.dead = True, False
        try:
            return step(payload).model_dump(mode="json")
        finally:
            self.fate.inside = False

    def _time_is_up(self) -> Callable[[], bool]:
        if not self.lines_a_run:
            return lambda: False
        asked = iter(range(1, 1_000_000))
        return lambda: next(asked) >= self.lines_a_run

    def _entered(self, state: str) -> None:
        if state == self.cancel_at:
            self.cancel()
        if state == "PollShard":
            self.simulator.until_settled()
        self._look()

    def _look(self) -> None:
        batch = self.batch
        seen = to_batch_object(batch, self.stores.parts.of_batch(batch))
        before, self._seen = self._seen, seen
        if not before:
            return
        if BatchStatus(before["status"]).is_final:
            assert seen == before
        for name, count in before["request_counts"].items():
            assert seen["request_counts"][name] >= count, f"{name} went back"
        for name, count in before["usage"].items():
            assert not isinstance(count, int) or seen["usage"][name] >= count, f"{name} went back"


def input_file(*segments: Segment, **changes: Any) -> StoredFile:
    """The record of a batch's input file."""
    fields = {
        "id": "file-in",
        "owner": "alice",
        "bytes": sum(segment.size for segment in segments),
        "created_at": NOW,
        "filename": "in.jsonl",
        "purpose": "batch",
        "segments": segments,
    }
    return StoredFile.model_validate({**fields, **changes})


def request(number: int, text: str = "", **more: Any) -> Json:
    """A line of an input file; each number has a question of its own."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text or f"Q{number}?"}]}
    return {"custom_id": f"line-{number}", "method": "POST", "url": CHAT, "body": body, **more}


def requests(count: int) -> list[Json]:
    return [request(number) for number in range(1, count + 1)]


def as_jsonl(lines: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _lines(content: bytes) -> list[Json]:
    return [json.loads(line) for line in content.splitlines()]


def _check_answer(line: Json, body: Json) -> None:
    assert line["error"] is None
    answer = line["response"]["body"]
    assert answer["choices"][0]["message"]["content"].endswith(f"[sim {answers.digest(body)}]")
    assert answer["model"] == body["model"]
    details = {"provider": "openai", "model": answers.dated(UPSTREAM_MODEL)}
    assert line["nightmail"] in (details, {**details, "lane": "direct"})
