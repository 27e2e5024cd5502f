"""What the simulator can be made to do wrong, as data for `POST /_control/behaviour`.

A fault says whom it strikes (`match`) and how often (`times`, null is always). Call faults strike
single HTTP calls; of those that match a call the first one strikes. Batch faults strike a batch
when it is created and stay with it for life; of those that match, the first of each kind.

    {"kind": "status", "status": 429, "retry_after": 2, "times": 3, "match": {"path": "/batches"}}
    {"kind": "drop", "when": "after", "match": {"method": "POST", "path": "/batches"}, "times": 1}
    {"kind": "stuck_batch", "at": "in_progress", "after_lines": 10}
    {"kind": "truncated", "mid_line": true, "match": {"metadata": {"shard": "2"}}}
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt


class Match(BaseModel):
    """Which calls are meant; what is not given matches everything.

    `path` and `model` are shell patterns (`/files/*/content`), the path without its `/v1`; `key`
    is the end of the bearer key; `text` is found anywhere in a JSON body; `metadata` are pairs
    that the body's metadata has.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "*"
    key: str = ""
    model: str = "*"
    text: str = ""
    metadata: dict[str, str] = {}


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    match: Match = Match()
    times: PositiveInt | None = None


class Status(Fault):
    """The call is refused with this status. `body` replaces OpenAI's envelope: a proxy's HTML."""

    kind: Literal["status"] = "status"
    status: Annotated[int, Field(ge=200, le=599)]
    retry_after: int | float | str | None = None
    code: str | None = None
    message: str | None = None
    body: str | None = None


class RefusedKey(Fault):
    """401: this key is wrong."""

    kind: Literal["refused_key"] = "refused_key"


class UnknownModel(Fault):
    """404 for calls that name the model; a batch with it fails its validation."""

    kind: Literal["unknown_model"] = "unknown_model"


class Interruption(Fault):
    """Something that comes between a call and its answer.

    `before`: nothing has happened yet. `after`: the file or batch exists, the answer is not sent.
    `during`: half of the answer's first piece is sent.
    """

    when: Literal["before", "after", "during"] = "before"


class Drop(Interruption):
    """The connection is closed."""

    kind: Literal["drop"] = "drop"


class Hold(Interruption):
    """The call waits until `POST /_control/release`, or until its client goes away."""

    kind: Literal["hold"] = "hold"
    name: str = ""


class Slow(Interruption):
    kind: Literal["slow"] = "slow"
    seconds: float


class FailedBatch(Fault):
    """The validation fails with these errors, such as `token_limit_exceeded`."""

    kind: Literal["failed_batch"] = "failed_batch"
    errors: list[dict[str, Any]]


class StuckBatch(Fault):
    """The batch stays in a status until `POST /_control/release` (or its end by another cause).

    `after_lines`: how many of its lines are executed before it sticks in `in_progress`.
    """

    kind: Literal["stuck_batch"] = "stuck_batch"
    at: Literal["validating", "in_progress", "finalizing", "cancelling"] = "in_progress"
    after_lines: NonNegativeInt = 0
    name: str = ""


class ExpiredBatch(Fault):
    """The completion window ends when so many lines are executed."""

    kind: Literal["expired_batch"] = "expired_batch"
    after_lines: NonNegativeInt = 0


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


CallFault = Status | RefusedKey | UnknownModel | Drop | Hold | Slow
BatchFault = (
    FailedBatch
    | StuckBatch
    | ExpiredBatch
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
AnyFault = Annotated[CallFault | BatchFault, Field(discriminator="kind")]
