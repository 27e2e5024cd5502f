"""A shard's results as they are fetched, in whatever order they come: sorted runs in the bucket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from nightmail.bill import Bill
from nightmail.errors import NotFound
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, billed, to_row
from nightmail.part import OWED, Ending
from nightmail.providers.base import Cursor, Result
from nightmail.results.line_outcomes import line_numbers
from nightmail.shard import Shard, ShardState
from nightmail.steps.passing_on import Reason, reason_of
from nightmail.steps.waits import TimeIsUp
from nightmail.stores.objects import ObjectStore
from nightmail.telemetry import logger
from nightmail.usage import Usage
from nightmail.work_keys import runs_prefix, work_folder

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

RUN_BYTES = 16 * 1024 * 1024
_KIND_BITS = 2
_KIND_MASK = 0b11


class Collection(BaseModel):
    """What has been fetched so far. `seen` has a byte for each line of the shard, in its order: the
    kind of its outcome from 1 on, or 0, and above these two bits why the line may pass on.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    v: Literal[1] = 1
    cursor: Cursor = Cursor()
    runs: list[Segment] = Field(default_factory=list)
    seen: bytes = b""
    strays: int = 0  # results that are not ours
    bill: Bill


class Collector:
    """Takes results, drops strays and repetitions, and writes sorted runs."""

    def __init__(self, shard: Shard, objects: ObjectStore, pricer: Pricer) -> None:
        self._folder = work_folder(shard.batch_id, shard.track, shard.number, shard.round)
        self._objects = objects
        self._pricer = pricer
        self._deployment = shard.deployment
        self._ending = shard.ending
        self.numbers = line_numbers(objects, shard)
        self._done = self._resume()
        self._seen = bytearray(self._done.seen or bytes(len(self.numbers)))
        self._rows: list[bytes] = []
        self._bytes = 0

    @property
    def cursor(self) -> Cursor:
        return self._done.cursor

    @property
    def count(self) -> int:
        """Lines with an outcome."""
        return len(self._seen) - self._seen.count(0)

    @property
    def has_strays_alone(self) -> bool:
        """Whether there were results, and none of them ours."""
        return bool(self._done.strays and not self.count)

    @property
    def marks(self) -> bytes:
        """For each line, in the order of `numbers`, what `seen` has of it."""
        return bytes(self._seen)

    def take(self, results: Iterable[Result], time_is_up: TimeIsUp) -> bool:
        """Whether all were taken; what was, is kept, whatever happens."""
        strays = self._done.strays
        try:
            for result in results:
                self._take(result)
                if self._bytes >= RUN_BYTES:
                    self._flush()
                if time_is_up():
                    return False
            return True
        finally:
            self._flush()
            if self._done.strays > strays:
                logger.warning("results that are not ours", extra={"count": self._done.strays})

    def read_again(self) -> None:
        """From the first result on: the provider had not shown all. What was taken is kept."""
        self._done.cursor = Cursor()
        self._flush()

    def book(self, shard: Shard) -> Shard:
        """The shard with its outcomes and figures."""
        bill = self._done.bill
        return shard.changed(
            state=ShardState.COLLECTED,
            runs=self._done.runs,
            completed=bill.lines,
            failed=shard.lines - bill.lines,
            bills=[bill] if bill.lines else [],
        )

    def _take(self, result: Result) -> None:
        self._done.cursor = result.behind
        place = self._place_of(result.outcome.number) if result.outcome else None
        if result.outcome is None or place is None:
            self._done.strays += 1
        elif self._is_better(result.outcome, place):
            outcome = self._as_it_was(result.outcome)
            self._seen[place] = (outcome.kind + 1) | ((reason_of(outcome) or 0) << _KIND_BITS)
            is_answer = outcome.kind is Kind.ANSWERED
            told = self._billed(outcome, result.usage) if is_answer else self._signed(outcome)
            self._keep(to_row(told))

    def _billed(self, outcome: Outcome, usage: Usage) -> Outcome:
        cost = self._pricer(self._deployment, "native", usage)
        self._done.bill = self._done.bill.plus(1, usage, cost)
        return billed(outcome, "native", cost)

    def _signed(self, outcome: Outcome) -> Outcome:
        """With who failed, as the direct lane tells it."""
        details = {"provider": self._deployment.provider, "lane": "native"}
        return replace(outcome, details={**(outcome.details or {}), **details})

    def _keep(self, row: bytes) -> None:
        self._rows.append(row)
        self._bytes += len(row)

    def _as_it_was(self, outcome: Outcome) -> Outcome:
        """A provider says `cancelled` of what we cancelled because the window had ended."""
        code = (outcome.error or {}).get("code")
        if self._ending is Ending.EXPIRED and code == OWED[Ending.CANCELLED]["code"]:
            return replace(outcome, error=OWED[Ending.EXPIRED])
        return outcome

    def _place_of(self, number: int) -> int | None:
        place = bisect_left(self.numbers, number)
        is_ours = place < len(self.numbers) and self.numbers[place] == number
        return place if is_ours else None

    def _is_better(self, outcome: Outcome, place: int) -> bool:
        seen = self._seen[place] & _KIND_MASK
        return seen == 0 or outcome.kind + 1 < seen

    def _flush(self) -> None:
        if self._rows:
            self._rows.sort()
            key = f"{runs_prefix(self._folder)}{uuid4().hex}.jsonl"
            self._done.runs.append(self._objects.put(key, b"".join(self._rows)))
            self._rows, self._bytes = [], 0
        self._done.seen = bytes(self._seen)
        self._objects.put(self._key, self._done.model_dump_json().encode())

    @property
    def _key(self) -> str:
        return f"{self._folder}/collection.json"

    def _resume(self) -> Collection:
        try:
            return Collection.model_validate_json(self._objects.get(self._key))
        except NotFound:
            deployment = self._deployment
            bill = Bill(model=deployment.name, provider=deployment.provider, lane="native")
            return Collection(bill=bill)


def reasons_in(marks: bytes, of_silence: Reason | None) -> bytes:
    """For each line why it may pass on, or 0; `of_silence` is for lines without an outcome."""
    table = bytes((of_silence or 0) if mark == 0 else mark >> _KIND_BITS for mark in range(256))
    return marks.translate(table)
