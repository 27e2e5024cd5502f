"""Faults that strike a batch when it is created, and stay with it for life.

Of those that match a batch the first of each kind strikes. Their words are OpenAI's: `cancelling` is
Anthropic's `canceling`, `output_file_id` its `results_url`, the output file its results. Where it has no
such thing (an error file, the metadata of a batch) nothing happens.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt

from local.simulator.fault import Fault


class FailedBatch(Fault):
    """The validation fails with these errors, such as `billing_hard_limit_reached`.

    Anthropic validates nothing, so that none of its batches fails.
    """

    kind: Literal["failed_batch"] = "failed_batch"
    errors: list[dict[str, Any]]


class StuckBatch(Fault):
    """The batch stays in a status until `POST /_control/release` (or its end by another cause).

    `after_lines`: how many of its lines are executed before it sticks in `in_progress`. Anthropic's
    show `in_progress` for `validating` and `finalizing`, before their first line and after their last.
    """

    kind: Literal["stuck_batch"] = "stuck_batch"
    at: Literal["validating", "in_progress", "finalizing", "cancelling"] = "in_progress"
    after_lines: NonNegativeInt = 0
    name: str = ""


class ExpiredBatch(Fault):
    """The completion window ends when so many lines are executed."""

    kind: Literal["expired_batch"] = "expired_batch"
    after_lines: NonNegativeInt = 0


class QueueLimit(Fault):
    """The queue takes so many lines of the batches that match and have not ended.

    One that is too many for it fails with `token_limit_exceeded`; at Anthropic its creation is
    refused, with 429.
    """

    kind: Literal["queue_limit"] = "queue_limit"
    lines: NonNegativeInt


class Polled(Fault):
    """Lasts for so many looks at the batch; null is for ever."""

    polls: PositiveInt | None = None


class OddStatus(Polled):
    """The first looks at a batch show a status word that nobody has documented."""

    kind: Literal["odd_status"] = "odd_status"
    word: str = "reticulating"


class LaggingCounts(Polled):
    """`request_counts` are zeros while the batch runs and in the first looks after its end."""

    kind: Literal["lagging_counts"] = "lagging_counts"


class LateOutput(Polled):
    """The first looks after the batch's end still show `output_file_id: null`."""

    kind: Literal["late_output"] = "late_output"


class EmptyErrorFile(Fault):
    """`error_file_id` is an empty string where it should be null."""

    kind: Literal["empty_error_file"] = "empty_error_file"


class VanishedBatch(Fault):
    """404 for the batch after so many looks at it."""

    kind: Literal["vanished_batch"] = "vanished_batch"
    after_polls: NonNegativeInt = 0


class SpoiledFile(Fault):
    file: Literal["output", "error"] = "output"


class SpoiledLines(SpoiledFile):
    lines: PositiveInt = 1


class Truncated(SpoiledFile):
    """The second half of the file is missing, cut between two lines or in the middle of one."""

    kind: Literal["truncated"] = "truncated"
    mid_line: bool = False


class Duplicated(SpoiledLines):
    """The first lines of the file appear twice."""

    kind: Literal["duplicated"] = "duplicated"


class Missing(SpoiledLines):
    """The first lines of the file are missing."""

    kind: Literal["missing"] = "missing"


class Garbage(SpoiledLines):
    """So many lines that are not JSON, nor UTF-8, stand between the others."""

    kind: Literal["garbage"] = "garbage"


class UnknownIds(SpoiledLines):
    """So many lines have a `custom_id` that nobody sent, besides the true ones."""

    kind: Literal["unknown_ids"] = "unknown_ids"


BatchFault = (
    FailedBatch
    | StuckBatch
    | ExpiredBatch
    | QueueLimit
    | OddStatus
    | LaggingCounts
    | LateOutput
    | EmptyErrorFile
    | VanishedBatch
    | Truncated
    | Duplicated
    | Missing
    | Garbage
    | UnknownIds
)
