"""What an adapter of the native lane is: the verbs, and the values that they speak in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from nightmail.batch import BatchError
from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.outcome import Outcome
from nightmail.part import Ending
from nightmail.usage import Usage


@dataclass(frozen=True)
class Limits:
    """What one provider batch takes, and how long the provider may take for it.

    `inputs` are the texts of all its lines together, where they are embedded.
    """

    lines: int
    bytes: int
    inputs: int | None = None
    minimum_lines: int = 1
    window_seconds: int = 24 * 3600


@dataclass(frozen=True)
class Tag:
    """What marks a provider batch as ours, so that it can be found after an unclear answer.

    `round` is the part's. `attempt` counts the batches that the provider gave back: they keep their tags.
    """

    batch_id: str
    shard: int
    round: int = 0
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
    One that `is_overdue` still runs though its time is over, and is to be asked to stop.
    """

    phase: Phase
    status: str
    ending: Ending | None = None
    given_back: GivenBack | None = None
    completed: int = 0
    failed: int = 0
    output_ids: list[str] = field(default_factory=list)
    errors: list[BatchError] = field(default_factory=list)
    is_overdue: bool = False


@dataclass(frozen=True)
class Cursor:
    """Where reading of results stopped: which of the outputs, and at which byte.

    Of results that come in pages `offset` counts those of the page that `page` opens.
    """

    output: int = 0
    offset: int = 0
    page: str = ""


@dataclass(frozen=True)
class Result:
    """One outcome with its tokens, and the place behind it. `outcome` is None for garbage."""

    outcome: Outcome | None
    usage: Usage
    behind: Cursor


@dataclass(frozen=True)
class ShardInput:
    """A shard's lines in the provider's format: `size` bytes, of which `read` makes a new stream."""

    read: Callable[[], Iterable[bytes]]
    size: int
    lines: int


@dataclass(frozen=True)
class Intent:
    """A submission whose answer never came: what was to be started, and when (Unix seconds)."""

    prepared: str
    tag: Tag
    lines: int
    since: int


class BatchFormat(Protocol):
    """What of a native lane is known without a key, and without a call."""

    @property
    def limits(self) -> Limits: ...

    endpoints: frozenset[str]
    """Those it takes, as OpenAI writes them: `/v1/chat/completions`."""

    live_counts: bool
    """Whether the provider counts finished lines while its batch runs, not only when it has ended."""

    def to_line(self, line: Line, line_id: str) -> bytes:
        """The request in the provider's format, known by `line_id`, with its newline.

        Raises InvalidRequest naming a parameter that the provider has not, and NotInBatches naming one
        that it has, but not in batches.
        """


NumberOf = Callable[[str], int | None]
"""The number of the line that a `line_id` stands for, or None where it is not ours."""


class BatchProvider(Protocol):
    """The native lane of one deployment: four verbs, and what they need.

    Methods raise leaves of ProviderError and nothing else.
    """

    is_tagged: bool
    """Whether `find` knows our batch from all others: by our tag, or by an input file that is its own."""

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        """Bring a shard's lines to the provider; costs nothing. Answers what `submit` needs: empty
        where the lines go with the submission itself.
        """

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:
        """Start the batch; this pays. Answers its id.

        Raises ProviderUnclear where the batch may exist although no good answer came.
        """

    def find(self, intent: Intent) -> list[str]:
        """The ids of the batches that may be the one of `intent`.

        Where the provider keeps tags there is at most one; else every batch that was made since with as
        many lines. Raises ProviderNotFound or ProviderRejected where the provider does not list its batches.
        """

    def poll(self, provider_batch_id: str) -> Progress:
        """How far it is. An unknown status counts as running."""

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What is in the outputs from `cursor` on, in any order."""

    def cancel(self, provider_batch_id: str) -> None:
        """Ask it to stop; one that has ended already is no error."""


ProviderOf = Callable[[Deployment], BatchProvider]
"""Makes the native lane of a deployment. Raises CredentialMissing."""

FormatOf = Callable[[Deployment], BatchFormat]
"""The format of a deployment that has a native lane."""
