"""A whole batch's life within the process: stores in memory, the simulator as provider, a fake clock.

`World.run` drives the steps as the state machine does, and looks at the batch before every state as a
caller would: counts never go back, a final status stays.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, cast

import boto3
from nightmail.batch import Batch, BatchStatus
from nightmail.batch_object import to_batch_object
from nightmail.bill import TakenLane, total_cost
from nightmail.cost import Cost
from nightmail.deployment import Deployment, Lane
from nightmail.file import Segment, StoredFile
from nightmail.payloads import BatchTask, ChunkTask, ShardTask, StepResult
from nightmail.providers.base import BatchProvider, FormatOf, ProviderOf
from nightmail.providers.direct import DirectOf, DirectProvider
from nightmail.providers.registry import open_direct, open_format, open_provider
from nightmail.shard import Shard
from nightmail.steps.collect_shard import collect_shard
from nightmail.steps.fail_batch import fail_batch
from nightmail.steps.finalize_batch import finalize_batch
from nightmail.steps.finish_shard import finish_shard
from nightmail.steps.input_checks import PlanLimits
from nightmail.steps.plan import Planner
from nightmail.steps.plan_batch import plan_batch
from nightmail.steps.poll_shard import poll_shard
from nightmail.steps.run_chunk import Worker, WorkTime, run_chunk
from nightmail.steps.shard_work import Courier
from nightmail.steps.submit_shard import submit_shard
from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import ClaimStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.quotas import QuotaStore
from nightmail.stores.stores import Stores
from nightmail.stores.table import Table
from nightmail.usage import Usage, usage_of

from local.simulator import answers
from local.simulator.client import SimulatorClient
from tests.bucket_folder import BUCKET
from tests.unit.conftest import ENVIRONMENT
from tests.unit.fate import Fate, Mortal
from tests.unit.machine import Ended, Json, Machine
from tests.unit.memory import MemoryDynamo, MemoryS3
from tests.unit.native.lane import NativeLane
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.only_batch import OnlyBatch
from tests.unit.samples import BATCH_ID, NOW, sample_batch

LEASE_SECONDS = 605
MODEL = "gpt-5-mini"
UPSTREAM_MODEL = "gpt-5-mini-upstream"
KEY = "sk-upstream-0123456789"
CHAT = "/v1/chat/completions"
A_TOKEN = Decimal("0.000002")


def price(_: Deployment, lane: str, usage: Usage) -> Cost:
    """Two dollars for a million tokens; half of it natively."""
    at_once = A_TOKEN * (usage.input_tokens + usage.output_tokens)
    return Cost(amount=at_once / 2 if lane == "native" else at_once, synchronous=at_once)


@dataclass
class Results:
    """The files of a batch: lines in their order."""

    output: list[Json]
    errors: list[Json]
    raw: tuple[bytes, bytes]

    @property
    def error_codes(self) -> list[str]:
        return [line["error"]["code"] for line in self.errors]

    @property
    def lanes(self) -> list[str]:
        """The lane of each answer."""
        return [line["nightmail"]["lane"] for line in self.output]


@dataclass
class World(OnlyBatch):
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
    groups: dict[str, list[Deployment]] = field(default_factory=dict)  # models that are not of one
    fallbacks: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # of models that have a key of their own
    strict: bool = False
    chunk_lines: int = 1000
    concurrency: int = 10  # calls of a worker in flight
    work_seconds: float = 60  # after which a worker's calls are cut off

    def __post_init__(self) -> None:
        table = Table(self.mortal(self.dynamo), self.table)
        self.stores = Stores(
            BatchStore(table, self._clock),
            PartStore(table),
            FileStore(table),
            ObjectStore(self.mortal(self.s3), self.bucket),
            ClaimStore(table),
        )
        self.quotas = QuotaStore(table)
        self.provider_of: ProviderOf = self._open_provider
        self.format_of: FormatOf = open_format
        self.direct_of: DirectOf = self._open_direct
        self.planner = self._make_planner()
        self._seen: Json = {}
        self.under_way: tuple[str, Json] = ("", {})  # the state and its function's payload
        self.machine = Machine(self._tasks(), self.stores.objects.get, self.wait, self._entered)

    def _make_planner(self) -> Planner:
        return Planner(
            self.stores,
            deployments_of=self.deployments_of,
            fallbacks_of=lambda model: self.fallbacks.get(model, []),
            strict=lambda: self.strict,
            on_deadline=lambda: "expire",
            format_of=open_format,
            pricer=price,
            limits=PlanLimits(
                lines=50_000,
                bytes=200 * 1024 * 1024,
                shard_concurrency=1,
                map_concurrency=1,
                chunk_lines=self.chunk_lines,
            ),
        )

    @property
    def native(self) -> NativeLane:
        """The native lane of the world's provider."""
        return NATIVE_LANES[self.provider]

    def mortal(self, real: Any) -> Any:
        return Mortal(real, self.fate)

    def deployments_of(self, model: str, _: str | None = None) -> list[Deployment]:
        return self.groups.get(model) or [self.deployment(model)]

    def deployment(self, name: str = MODEL, **more: Any) -> Deployment:
        """One that answers to this name, at the world's provider unless `more` says another."""
        provider = more.get("provider", self.provider)
        fields = {
            "name": name,
            "provider": provider,
            "model": UPSTREAM_MODEL,
            "api_base": self.api_base or self.simulator.base_of(provider),
            "api_key": "os.environ/UPSTREAM_KEY",
            "lane": self.lane,
            **(NATIVE_LANES[provider].fields if provider in NATIVE_LANES else {}),
            **self.limits,
        }
        return Deployment.model_validate({**fields, **more})

    def _open_provider(self, deployment: Deployment) -> BatchProvider:
        key = self.keys.get(deployment.name, KEY)
        return cast(BatchProvider, self.mortal(open_provider(deployment, key, BUCKET)))

    def _open_direct(self, deployment: Deployment) -> DirectProvider:
        return open_direct(deployment, self.keys.get(deployment.name, KEY))

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
    def shard(self) -> Shard:
        """The only one."""
        (shard,) = self.shards
        return shard

    def change_shard(self, **changes: Any) -> None:
        """Write other values into the only shard, as if they had come about."""
        self.stores.parts.save(self.shard.model_copy(update=changes))

    def change_batch(self, **changes: Any) -> None:
        """Write other values into the batch, as if it had been created so."""
        self.stores.batches.save(self.batch.model_copy(update=changes))

    def provider_batches(self, shard: int | None = None) -> list[Json]:
        """What the providers started, oldest first; for a shard where they keep our tags."""
        return [
            batch
            for batch in self.simulator.batches()
            if shard is None or batch["metadata"]["nightmail_shard"] == str(shard)
        ]

    def results(self) -> Results:
        batch = self.batch
        output, errors = self._content(batch.output_file_id), self._content(batch.error_file_id)
        return Results(_lines(output), _lines(errors), (output, errors))

    def check_promises(
        self, lines: Sequence[Json], paid_once: bool = True, lost: int = 0
    ) -> Results:
        """Each line has one outcome, in order, its own; the counts add up; nothing is paid twice; and
        what was paid is booked, but for `lost` answers that nobody was shown.
        """
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
        assert sum(part.lines for part in self.parts) == len(lines)
        bodies = {line["custom_id"]: line["body"] for line in lines}
        for answered in results.output:
            self._check_answer(answered, bodies[answered["custom_id"]])
        self._check_bills(results)
        if paid_once:
            assert all(count == 1 for count in self.simulator.paid().values())
            assert sum(self.simulator.paid().values()) == len(results.output) + lost
        if paid_once and not lost:
            assert _booked(batch) == _billed(self.simulator)
        return results

    def _check_answer(self, line: Json, body: Json) -> None:
        assert line["error"] is None
        answer, details = line["response"]["body"], line["nightmail"]
        (deployment,) = [
            each
            for model in (body["model"], *self.fallbacks.get(body["model"], []))
            for each in self.deployments_of(model)
            if (each.name, each.provider) == (answer["model"], details["provider"])
        ]
        sent = json.loads(self.direct_of(deployment).request(CHAT, body).content)
        assert answer["choices"][0]["message"]["content"].endswith(f"[sim {answers.digest(sent)}]")
        lane = details["lane"]
        cost = price(deployment, lane, usage_of(answer))
        wanted = {"provider": deployment.provider, "lane": lane, "cost": _number(cost.amount)}
        if cost.synchronous != cost.amount:
            wanted["synchronous_cost"] = _number(cost.synchronous)
        assert details == {**wanted, "model": details["model"]}
        assert details["model"] in {deployment.model, answers.dated(deployment.model)}

    def _check_bills(self, results: Results) -> None:
        """They are the sums over the lines of the output."""
        batch = self.batch
        lines = Counter(
            (
                line["response"]["body"]["model"],
                line["nightmail"]["provider"],
                line["nightmail"]["lane"],
            )
            for line in results.output
        )
        assert {bill.key: bill.lines for bill in batch.bills} == dict(lines)
        costs = [line["nightmail"]["cost"] for line in results.output]
        booked = total_cost(batch.bills)
        assert booked.amount == sum(Decimal(repr(cost)) for cost in costs)

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
            "FinishShard": self._finish,
            "RunChunk": self._run_chunk,
            "FinalizeBatch": self._finalize,
            "FailBatch": self._fail,
        }
        return {state: partial(self._invoke, state, step) for state, step in functions.items()}

    @property
    def _courier(self) -> Courier:
        return Courier(self.stores, self.provider_of, self.format_of, price, self._clock)

    def _plan(self, payload: Json) -> StepResult:
        task = BatchTask.model_validate(payload)
        return plan_batch(task, self.planner, self._clock, self._time_is_up())

    def _submit(self, payload: Json) -> StepResult:
        return submit_shard(ShardTask.model_validate(payload), self._courier, LEASE_SECONDS)

    def _poll(self, payload: Json) -> StepResult:
        return poll_shard(ShardTask.model_validate(payload), self._courier)

    def _collect(self, payload: Json) -> StepResult:
        task = ShardTask.model_validate(payload)
        return collect_shard(task, self._courier, self._time_is_up())

    def _finish(self, payload: Json) -> StepResult:
        return finish_shard(ShardTask.model_validate(payload), *self._worker())

    def _run_chunk(self, payload: Json) -> StepResult:
        return run_chunk(ChunkTask.model_validate(payload), *self._worker())

    def _worker(self) -> tuple[Worker, WorkTime]:
        begun_at = time.monotonic()
        clock = lambda: self.now + time.monotonic() - begun_at  # noqa: E731 - limits need real time
        stores, quotas = self.stores, self.quotas
        worker = Worker(stores, quotas, self.direct_of, clock, self.concurrency, price)
        return worker, WorkTime(self._time_is_up(), self.work_seconds)

    def _finalize(self, payload: Json) -> StepResult:
        task = BatchTask.model_validate(payload)
        return finalize_batch(task, self._courier, self._time_is_up())

    def _fail(self, payload: Json) -> StepResult:
        task = BatchTask.model_validate(payload)
        return fail_batch(task, self._courier, self._time_is_up())

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
        seen = to_batch_object(batch, self.stores.parts.of_batch(batch), self.now)
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


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _booked(batch: Batch) -> Counter[tuple[str, TakenLane, str]]:
    """Answers and tokens by provider and lane."""
    found: Counter[tuple[str, TakenLane, str]] = Counter()
    for bill in batch.bills:
        usage = bill.usage
        for name, count in (
            ("answers", bill.lines),
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("cache_write", usage.cache_write_tokens),
            ("output", usage.output_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            found[bill.provider, bill.lane, name] += count
    return found


def _billed(simulator: SimulatorClient) -> Counter[tuple[str, TakenLane, str]]:
    """The same as the providers see it."""
    lanes: dict[str, TakenLane] = {"batch": "native", "call": "direct"}
    found: Counter[tuple[str, TakenLane, str]] = Counter()
    for row in simulator.billed():
        for name in ("answers", "input", "cached", "cache_write", "output", "reasoning"):
            found[row["provider"], lanes[row["lane"]], name] += row[name]
    return found
