"""What tells one batch API of OpenAI's shape from another: data, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from nightmail.part import Ending
from nightmail.providers.base import Limits
from nightmail.providers.direct import JsonObject

OPENAI_ENDINGS: Mapping[str, Ending] = MappingProxyType(
    {
        "completed": Ending.COMPLETED,
        "failed": Ending.FAILED,
        "expired": Ending.EXPIRED,
        "cancelled": Ending.CANCELLED,
    }
)


def openai_submission(file_id: str, endpoint: str, model: str) -> JsonObject:  # noqa: ARG001 - the lines tell the model
    """What starts a batch at OpenAI, but for the metadata."""
    return {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchApi:
    """Files and Batches as OpenAI documents them, but for what is said here."""

    limits: Limits
    endpoints: frozenset[str] | None = None
    """Those that batches have; all of the server's where it is None."""
    has_routes: bool = True
    """Whether a line names its method and its URL."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """What lines, and the call that pays, call those endpoints that they do not call as OpenAI does."""
    names_model: bool = True
    """Whether the request in a line names its model."""
    files: str = "/files"
    """Where an input file is uploaded to."""
    form: Mapping[str, str] = field(default_factory=lambda: {"purpose": "batch"})
    """What the form of an upload says beside the file."""
    path: str = "/batches"
    submission: Callable[[str, str, str], JsonObject] = openai_submission
    """The body of the call that pays, of a file's id, an endpoint and the provider's own model."""
    wrapper: str | None = None
    """In which field of the answer to that call the batch is, where it is not the answer itself."""
    has_metadata: bool = True
    """Whether a batch takes our tag; if not, it is known by its input file, which is of one submission."""
    paging: Literal["cursors", "numbers", "none"] = "cursors"
    """Whether a list's next page begins behind an id, has a number, or is none: the list is an array."""
    newest_first: bool = False
    """Whether the provider promises that order of its list; if not, all of it is read to find a batch."""
    endings: Mapping[str, Ending] = field(default_factory=lambda: OPENAI_ENDINGS)
    """Its words for a batch that has ended; any other is one that runs."""
    counts: tuple[str, str] | None = ("request_counts.completed", "request_counts.failed")
    """Where in a batch it counts the lines that succeeded, and those that failed; None where nowhere."""
    has_live_counts: bool = True
    """Whether these grow while a batch runs."""
    outputs: tuple[str, str] = ("output_file_id", "error_file_id")
    """Which fields of a batch name its result files."""
    follows_redirects: bool = True
    """Whether these may lie at another server, which is sent no header of ours."""
