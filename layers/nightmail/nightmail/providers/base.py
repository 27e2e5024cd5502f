"""What an adapter of the native lane is: the verbs, and the values that they speak in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from nightmail.batch import BatchError, Usage
from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.outcome import Outcome
from nightmail.part import Ending


@dataclass(frozen=True)
class Limits:
    """What one provider batch takes, and how long the provider may take for it."""

    lines: int
    bytes: int
    minimum_lines: int = 1
    window_seconds: int = 24 * 3600


@dataclass(frozen=True)
class Tag:
    """What marks a provider batch as ours, so that it can be found after an unclear answer.

    `attempt` counts the batches that the provider gave back: they keep their tags.
    """

    batch_id: str
    shard: int
    attempt: int = 0


class Phase(StrEnum):
    RUNNING = "running"
    ENDED = "ended"


class GivenBack(StrEnum):
    """Why a provider ended a batch before it ran a line, where submitting it again may help."""

    QUEUE_FULL = "queue_full"
    FILE_LOST = "file_lost"  # it has to be prepared again


@dataclass(frozen=True)
class Progress:
    """How far a provider batch is. `status` is the provider's own word.

    `output_ids` name what `results` reads; `errors` are the provider's own, of the whole batch.
    """

    phase: Phase
    status: str
    ending: Ending | None = None
    given_back: GivenBack | None = None
    completed: int = 0
    failed: int = 0
    output_ids: list[str] = field(default_factory=list)
    errors: list[BatchError] = field(default_factory=list)


@dataclass(frozen=True)
class Cursor:
    """Where reading of results stopped: which of the outputs, and at which byte."""

    output: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Result:
    """One outcome with its tokens, and the place behind it. `outcome` is None for garbage."""

    outcome: Outcome | None
    usage: Usage
    behind: Cursor


class BatchProvider(Protocol):
    """The native lane of one deployment. Methods raise leaves of ProviderError and nothing else."""

    limits: Limits

    def to_line(self, line: Line) -> bytes:
        """The request in the provider's format, known by its line number, with its newline."""

    def prepare(self, content: Iterable[bytes], size: int, tag: Tag) -> str:
        """Bring a shard's lines to the provider; costs nothing. Answers what `submit` needs."""

    def submit(self, prepared: str, endpoint: str, tag: Tag) -> str:
        """Start the batch; this pays. Answers its id.

        Raises ProviderUnclear where the batch may exist although no good answer came.
        """

    def find(self, prepared: str, tag: Tag, since: int) -> str | None:
        """The id of the batch that `submit` made of `prepared` with this tag, if there is one.

        It was made after `since` (Unix seconds). Raises ProviderNotFound or ProviderRejected where
        the provider does not list its batches.
        """

    def poll(self, provider_batch_id: str) -> Progress:
        """How far it is. An unknown status counts as running."""

    def results(self, output_ids: list[str], public_model: str, cursor: Cursor) -> Iterator[Result]:
        """What is in the outputs from `cursor` on, in any order."""

    def cancel(self, provider_batch_id: str) -> None:
        """Ask it to stop; one that has ended already is no error."""


ProviderOf = Callable[[Deployment], BatchProvider]
"""Makes the native lane of a deployment. Raises CredentialMissing."""
