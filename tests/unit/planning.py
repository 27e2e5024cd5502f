"""Planning alone: a file, a config and stores in memory; nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from nightmail.batch import Batch, OnDeadline
from nightmail.cost import UNKNOWN, Cost
from nightmail.deployment import Deployment
from nightmail.errors import NotFound
from nightmail.file import Segment, StoredFile
from nightmail.line_index import IndexRow
from nightmail.part import Part
from nightmail.payloads import BatchTask, Next, PlanResult
from nightmail.providers.base import FormatOf
from nightmail.providers.registry import open_format
from nightmail.shard import Shard
from nightmail.steps.input_checks import PlanLimits
from nightmail.steps.input_lines import index_of
from nightmail.steps.plan import Planner
from nightmail.steps.plan_batch import plan_batch
from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import ClaimStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.stores import Stores
from nightmail.stores.table import Table
from nightmail.usage import Usage

from tests.unit.fate import Fate, Mortal
from tests.unit.machine import Json, Killed
from tests.unit.memory import MemoryDynamo, MemoryS3
from tests.unit.only_batch import OnlyBatch
from tests.unit.samples import BATCH_ID, NOW, sample_batch

WORK = f"work/{BATCH_ID}"
MODEL = "gpt-5-mini"
A_TOKEN = Decimal("0.001")


def deployment(name: str = MODEL, provider: str = "openai", **more: Any) -> Deployment:
    """One entry of a config; its model at the provider is `<name>-upstream`."""
    return Deployment.model_validate(
        {"name": name, "provider": provider, "model": f"{name}-upstream", **more}
    )


def half_price(deployment: Deployment, lane: str, usage: Usage) -> Cost:
    """A tenth of a cent for a token, half of it natively; nobody knows the price of `priceless`."""
    if deployment.name == "priceless":
        return UNKNOWN
    at_once = A_TOKEN * (usage.input_tokens + usage.output_tokens)
    return Cost(amount=at_once / 2 if lane == "native" else at_once, synchronous=at_once)


@dataclass
class Planning(OnlyBatch):
    """`lines_a_run` lines are read before the time of an invocation is up; 0: all."""

    deployments: Sequence[Deployment] = field(default_factory=lambda: [deployment()])
    fallbacks: dict[str, list[str]] = field(default_factory=dict)
    strict: bool = False
    on_deadline: OnDeadline = "expire"
    format_of: FormatOf = open_format
    lines_a_run: int = 0
    most_lines: int = 50_000
    most_bytes: int = 200 * 1024 * 1024
    chunk_lines: int = 1000
    s3: Any = field(default_factory=MemoryS3)
    fate: Fate = field(default_factory=Fate)
    now: int = NOW

    def __post_init__(self) -> None:
        table = Table(cast("Any", Mortal(MemoryDynamo(), self.fate)), "table")
        self.stores = Stores(
            BatchStore(table, lambda: self.now),
            PartStore(table),
            FileStore(table),
            ObjectStore(cast("Any", Mortal(self.s3, self.fate)), "bucket"),
            ClaimStore(table),
        )
        self.asked: list[tuple[str, str | None]] = []

    @property
    def planner(self) -> Planner:
        return Planner(
            self.stores,
            deployments_of=self._deployments_of,
            fallbacks_of=lambda model: self.fallbacks.get(model, []),
            strict=lambda: self.strict,
            on_deadline=lambda: self.on_deadline,
            format_of=self.format_of,
            pricer=half_price,
            limits=PlanLimits(
                self.most_lines,
                self.most_bytes,
                shard_concurrency=3,
                map_concurrency=1,
                chunk_lines=self.chunk_lines,
            ),
        )

    def _deployments_of(self, model: str, hint: str | None) -> list[Deployment]:
        self.asked.append((model, hint))
        found = [each for each in self.deployments if each.name == model]
        if not found:
            raise NotFound(f"The model '{model}' does not exist.")
        return found

    def create(self, lines: Sequence[Json] | bytes, **changes: Any) -> Batch:
        """A file and its batch, as the API leaves them."""
        content = lines if isinstance(lines, bytes) else as_jsonl(lines)
        self.keep_file("file-in", content)
        batch = sample_batch(**changes)
        self.stores.batches.create(batch)
        return batch

    def keep_file(self, file_id: str, content: bytes, **changes: Any) -> None:
        segment = self.stores.objects.put(f"files/alice/{file_id}", content)
        self.stores.files.create(a_file(segment, id=file_id, **changes))

    def step(self, planner: Planner | None = None) -> PlanResult:
        """One invocation."""
        task = BatchTask(owner="alice", batch_id=BATCH_ID)
        self.fate.inside, self.fate.dead = True, False
        try:
            return plan_batch(task, planner or self.planner, lambda: self.now, self._time_is_up())
        finally:
            self.fate.inside = False

    def run(self, planner: Planner | None = None) -> Next:
        """Plan to the end, again after each kill; answers where the state machine goes."""
        step = Next.MORE
        while step is Next.MORE:
            with suppress(Killed):
                step = self.step(planner).next
        return step

    def plan(self, lines: Sequence[Json] | bytes, **changes: Any) -> Batch:
        """The batch of a good file when it has been planned."""
        self.create(lines, **changes)
        step = self.run()
        assert step in {Next.PARTS, Next.DONE}, self.batch.errors
        return self.batch

    def refusals(
        self, lines: Sequence[Json] | bytes, **changes: Any
    ) -> list[tuple[str, int | None]]:
        """The errors of a file that is refused."""
        self.create(lines, **changes)
        assert self.run() is Next.FAILED
        assert self.parts == []
        return [(error.code, error.line) for error in self.batch.errors]

    def index(self, part: Part) -> list[IndexRow]:
        return list(index_of(part, self.stores.objects))

    def content(self, segments: Sequence[Segment]) -> bytes:
        return b"".join(self.stores.objects.chunks(segments))

    def sent(self, shard: Shard) -> list[Json]:
        """A shard's lines in the provider's format."""
        return [json.loads(line) for line in self.content(shard.input).splitlines()]

    def items(self, name: str) -> list[int]:
        """What the map over the parts of this name reads."""
        items = self.stores.objects.get(f"{WORK}/{name}s.jsonl").splitlines()
        return [json.loads(item)[name] for item in items]

    def _time_is_up(self) -> Any:
        if not self.lines_a_run:
            return lambda: False
        asked = iter(range(1, 1_000_000))
        return lambda: next(asked) >= self.lines_a_run


def a_file(*segments: Segment, **changes: Any) -> StoredFile:
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


def a_line(number: int, url: str = "/v1/chat/completions", model: str = MODEL, **more: Any) -> Json:
    """A good line of an input file, for any endpoint."""
    body: Json = {"model": model, **_ASKED.get(url, {"input": f"Text {number}"})}
    return {"custom_id": f"line-{number}", "method": "POST", "url": url, "body": {**body, **more}}


def as_jsonl(lines: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


_ASKED: dict[str, Json] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Well?"}]},
    "/v1/completions": {"prompt": "Well?"},
}
