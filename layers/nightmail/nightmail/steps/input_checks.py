"""What an input file has to be as a whole: its record, no custom_id twice, no more lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

import orjson
from pydantic import BaseModel, Field

from nightmail.batch import MAX_ERRORS, BatchError
from nightmail.errors import NotFound, StorageUnavailable
from nightmail.file import FileStatus, StoredFile
from nightmail.lines import Line, read_line
from nightmail.steps.duplicates import CustomIds


@dataclass(frozen=True)
class PlanLimits:
    """What one input file may have, how long a chunk is, and how many parts run at a time.

    `map_concurrency` is the chunks'.
    """

    lines: int
    bytes: int
    shard_concurrency: int
    map_concurrency: int
    chunk_lines: int


class InputRefused(Exception):
    """The file cannot be run as it is."""

    def __init__(self, errors: list[BatchError]) -> None:
        super().__init__()
        self.errors = errors


class Findings(BaseModel):
    """What the lines read so far have shown. `model` is what they all ask for, if it is one."""

    total: int = 0
    model: str | None = None
    errors: list[BatchError] = Field(default_factory=list)


class InputChecks:
    """Takes the lines one after another. With a `strict_endpoint` that and one model are all there is."""

    def __init__(
        self,
        strict_endpoint: str | None,
        limits: PlanLimits,
        findings: Findings,
        ids: CustomIds,
    ) -> None:
        self._strict_endpoint = strict_endpoint
        self._limits = limits
        self._ids = ids
        self.findings = findings

    def take(self, content: bytes | None, number: int) -> Line | None:
        """The line if it is good, or None for a bad or a blank one.

        Raises InputRefused when no more can be said of the file.
        """
        line = read_line(content, number, self._strict_endpoint)
        if isinstance(line, Line):
            line = self._compare(line)
        if isinstance(line, BatchError):
            self._note(line)
            return None
        return line

    def unserved(self, line: Line, error: NotFound) -> None:
        """Nobody serves the model of a line. Raises InputRefused as `take` does."""
        self._note(_unserved(line, error.message))

    def finish(self, line_again: Callable[[int], bytes]) -> None:
        """The last line was taken; `line_again` reads one by its number.

        Raises InputRefused where the file cannot be run.
        """
        errors = self.findings.errors + list(self._repeated(line_again))
        if errors:
            errors.sort(key=lambda error: error.line or 0)
            raise InputRefused(errors[:MAX_ERRORS])
        if not self.findings.total:
            refuse(
                "empty_file",
                "The input file is empty. Please ensure that the batch contains at least one request.",
            )

    def _compare(self, line: Line) -> Line | BatchError:
        """Hold the line against those before it."""
        findings = self.findings
        findings.total += 1
        if findings.total > self._limits.lines:
            refuse("too_many_requests", f"The batch has more than {self._limits.lines} requests.")
        self._ids.add(line.custom_id, line.number)
        if findings.total == 1:
            findings.model = line.model
        if line.model != findings.model:
            if self._strict_endpoint:
                return _mismatch(line)
            findings.model = None
        return line

    def _note(self, error: BatchError) -> None:
        self.findings.errors.append(error)
        if len(self.findings.errors) >= MAX_ERRORS:
            raise InputRefused(self.findings.errors)

    def _repeated(self, line_again: Callable[[int], bytes]) -> Iterator[BatchError]:
        """The hashes' candidates, told apart by a look at their lines."""
        for pair in islice(self._ids.candidates(), MAX_ERRORS):
            first, second = (orjson.loads(line_again(number))["custom_id"] for number in pair)
            if first == second:
                yield _duplicate(second, pair[1])


def check_file(file: StoredFile, limits: PlanLimits) -> None:
    """Whether its record lets a file be run.

    Raises InputRefused, or StorageUnavailable where its checksum is still to be looked at.
    """
    if file.purpose != "batch":
        message = f"The file {file.id} has the purpose '{file.purpose}', not 'batch'."
        refuse("invalid_request", message, "file_id")
    if file.status is FileStatus.ERROR:
        message = f"The file {file.id} is damaged: {file.status_details}"
        refuse("invalid_request", message, "file_id")
    if file.bytes > limits.bytes:
        refuse(
            "file_too_large",
            f"The batch input file is larger than the {limits.bytes} maximum."
            " Please try again with a smaller batch.",
        )
    if file.status is FileStatus.UPLOADED:
        raise StorageUnavailable("The input file's checksum is not checked yet; try again.")


def refuse(code: str, message: str, param: str | None = None) -> NoReturn:
    raise InputRefused([BatchError(code=code, message=message, param=param)])


def _mismatch(line: Line) -> BatchError:
    return BatchError(
        code="mismatched_model",
        message=f"The model '{line.model}' for this request does not match the rest of the batch."
        " Each batch must contain requests for a single model.",
        param="body.model",
        line=line.number,
    )


def _unserved(line: Line, refusal: str) -> BatchError:
    return BatchError(code="model_not_found", message=refusal, param="body.model", line=line.number)


def _duplicate(custom_id: str, number: int) -> BatchError:
    return BatchError(
        code="duplicate_custom_id",
        message=f"The custom_id '{custom_id[:512]}' for this request is a duplicate of another request."
        " The custom_id parameter must be unique for each request in a batch.",
        param="custom_id",
        line=number,
    )
