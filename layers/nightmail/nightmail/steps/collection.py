"""A shard's results as they are fetched, in whatever order they come: sorted runs in the bucket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from nightmail.usage import Usage
from nightmail.errors import NotFound
from nightmail.file import Segment
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import OWED, Ending
from nightmail.providers.base import Cursor, Result
from nightmail.shard import Shard, ShardState
from nightmail.steps.line_outcomes import line_numbers
from nightmail.steps.waits import TimeIsUp
from nightmail.stores.objects import ObjectStore
from nightmail.telemetry import logger
from nightmail.work_keys import runs_prefix, shard_folder

RUN_BYTES = 16 * 1024 * 1024


class Collection(BaseModel):
    """What has been fetched so far. `seen` has a byte for each line of the shard, in its order."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    v: Literal[1] = 1
    cursor: Cursor = Cursor()
    runs: list[Segment] = Field(default_factory=list)
    seen: bytes = b""
    usage: Usage = Field(default_factory=Usage)


class Collector:
    """Takes results, drops strays and repetitions, and writes sorted runs."""

    def __init__(self, shard: Shard, objects: ObjectStore) -> None:
        self._folder = shard_folder(shard.batch_id, shard.number)
        self._objects = objects
        self._ending = shard.ending
        self._numbers = line_numbers(objects, shard)
        self._done = self._resume()
        self._seen = bytearray(self._done.seen or bytes(len(self._numbers)))
        self._rows: list[bytes] = []
        self._bytes = 0
        self._strays = 0

    @property
    def cursor(self) -> Cursor:
        return self._done.cursor

    @property
    def count(self) -> int:
        """Lines with an outcome."""
        return len(self._seen) - self._seen.count(0)

    def take(self, results: Iterable[Result], time_is_up: TimeIsUp) -> bool:
        """Whether all were taken; what was, is kept, whatever happens."""
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
            if self._strays:
                logger.warning("results that are not ours", extra={"count": self._strays})

    def read_again(self) -> None:
        """From the first result on: the provider had not shown all. What was taken is kept."""
        self._done.cursor = Cursor()
        self._flush()

    def book(self, shard: Shard) -> Shard:
        """The shard with its outcomes and figures."""
        completed = self._seen.count(Kind.ANSWERED + 1)
        return shard.changed(
            state=ShardState.COLLECTED,
            runs=self._done.runs,
            completed=completed,
            failed=shard.lines - completed,
            usage=self._done.usage,
        )

    def _take(self, result: Result) -> None:
        self._done.cursor = result.behind
        outcome = result.outcome
        place = self._place_of(outcome.number) if outcome else None
        if outcome is None or place is None:
            self._strays += 1
        elif self._is_better(outcome, place):
            self._seen[place] = outcome.kind + 1
            self._done.usage += result.usage
            row = to_row(self._as_it_was(outcome))
            self._rows.append(row)
            self._bytes += len(row)

    def _as_it_was(self, outcome: Outcome) -> Outcome:
        """A provider says `cancelled` of what we cancelled because the window had ended."""
        code = (outcome.error or {}).get("code")
        if self._ending is Ending.EXPIRED and code == OWED[Ending.CANCELLED]["code"]:
            return replace(outcome, error=OWED[Ending.EXPIRED])
        return outcome

    def _place_of(self, number: int) -> int | None:
        place = bisect_left(self._numbers, number)
        is_ours = place < len(self._numbers) and self._numbers[place] == number
        return place if is_ours else None

    def _is_better(self, outcome: Outcome, place: int) -> bool:
        return self._seen[place] == 0 or outcome.kind + 1 < self._seen[place]

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
            return Collection()
