"""Reads and checks the input file of a batch: all of it, or the lines that a retry runs again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pydantic import BaseModel, Field

from nightmail.batch import Batch
from nightmail.errors import NotFound
from nightmail.file import StoredFile
from nightmail.lines import MAX_LINE_BYTES, Line, RawLine, cut_lines
from nightmail.steps.duplicates import CustomIds
from nightmail.steps.input_checks import Findings, InputChecks, PlanLimits, check_file, refuse
from nightmail.steps.retried_lines import RetriedLines
from nightmail.stores.stores import Stores
from nightmail.work_keys import custom_ids_key

_STRIDE = 1000  # lines from one place that is kept to the next
_ERRORS_GONE = (
    "The error file of batch {}, whose failed lines were to run again, is gone. "
    "Send those lines as a new batch."
)


class ReadSoFar(BaseModel):
    """Where reading stopped, in bytes and lines, and what they showed.

    `places` are where every so many lines begin, `retried_offset` one in the error file of a retry.
    """

    offset: int = 0
    number: int = 0
    places: list[int] = Field(default_factory=lambda: [0])
    retried_offset: int = 0
    findings: Findings = Field(default_factory=Findings)


class Place(NamedTuple):
    """The bytes of the file in which a line stands; `line` is None where that is blank, bad or not run."""

    line: Line | None
    start: int
    end: int


class InputReader:
    """Goes on where `so_far` says. Raises InputRefused where there is no such file to be run."""

    def __init__(
        self, batch: Batch, stores: Stores, limits: PlanLimits, so_far: ReadSoFar, now: int
    ) -> None:
        self._batch = batch
        self._stores = stores
        self._so_far = so_far
        self._file = self._find_file(limits, now)
        self._retried = self._find_retried(now)
        self._ids = self._read_ids()
        strict_endpoint = batch.endpoint if batch.strict else None
        self._checks = InputChecks(strict_endpoint, limits, so_far.findings, self._ids)

    def lines(self) -> Iterator[Place]:
        """Every line of the file, up to the last that is to be run.

        Raises InputRefused when no more can be said of the file.
        """
        so_far = self._so_far
        chunks = self._stores.objects.chunks(self._file.segments, so_far.offset)
        for raw in cut_lines(chunks, so_far.offset, MAX_LINE_BYTES):
            start, so_far.offset, so_far.number = so_far.offset, raw.end, so_far.number + 1
            if so_far.number % _STRIDE == 0:
                so_far.places.append(raw.end)
            line = self._checked(raw)
            if line is None and self._retried and self._retried.are_over:
                return
            yield Place(line, start, raw.end)

    def unserved(self, line: Line, error: NotFound) -> None:
        """Nobody serves the model of a line. Raises InputRefused as `lines` does."""
        self._checks.unserved(line, error)

    def finish(self) -> None:
        """There are no more lines. Raises InputRefused where the file cannot be run."""
        self._checks.finish(self._line_again)

    def suspend(self) -> None:
        """Keep what another invocation needs beside `so_far`, which says where to go on."""
        self._so_far.retried_offset = self._retried.offset if self._retried else 0
        key = custom_ids_key(self._batch.id, self._so_far.number)
        self._stores.objects.put(key, self._ids.to_bytes())

    def _checked(self, raw: RawLine) -> Line | None:
        number = self._so_far.number
        is_run = self._retried is None or self._retried.include(number)
        return self._checks.take(raw.content, number) if is_run else None

    def _line_again(self, number: int) -> bytes:
        """A line that was read before."""
        strides, others = divmod(number - 1, _STRIDE)
        start = self._so_far.places[strides]
        chunks = self._stores.objects.chunks(self._file.segments, start)
        raw = next(islice(cut_lines(chunks, start, MAX_LINE_BYTES), others, None))
        return raw.content or b""

    def _find_file(self, limits: PlanLimits, now: int) -> StoredFile:
        file_id = self._batch.input_file_id
        try:
            file = self._stores.files.get(self._batch.owner, file_id, now)
        except NotFound:
            message = f"Cannot find file {file_id}, or you have no access to it."
            refuse("invalid_request", message, "file_id")
        check_file(file, limits)
        return file

    def _find_retried(self, now: int) -> RetriedLines | None:
        """The failed lines of the batch that this one runs again, if it does."""
        owner, batch_id, stores = self._batch.owner, self._batch.retry_of, self._stores
        if batch_id is None:
            return None
        before = stores.batches.find(owner, batch_id)
        error_file_id = before and stores.batches.latest_run(before).error_file_id
        try:
            errors = stores.files.get(owner, error_file_id or "", now)
        except NotFound:
            refuse(code="error_file_gone", message=_ERRORS_GONE.format(batch_id), param="retry_of")
        return RetriedLines(errors, stores.objects, self._so_far.retried_offset)

    def _read_ids(self) -> CustomIds:
        if not self._so_far.number:
            return CustomIds()
        key = custom_ids_key(self._batch.id, self._so_far.number)
        return CustomIds.from_bytes(self._stores.objects.get(key))
