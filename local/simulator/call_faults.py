"""Faults that strike single HTTP calls. Of those that match a call the first one strikes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from local.simulator.fault import Fault, Seconds


class Status(Fault):
    """The call is answered with this status and the provider's error envelope, 200 included.

    `body` replaces the envelope: a proxy's HTML, or what is not JSON. `code` is OpenAI's `code`,
    `type` what OpenAI and Anthropic call so.
    """

    kind: Literal["status"] = "status"
    status: Annotated[int, Field(ge=200, le=599)]
    retry_after: int | float | str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    code: str | None = None
    type: str | None = None
    message: str | None = None
    body: str | None = None
    media_type: str = "text/html"


class RefusedKey(Fault):
    """401: this key is wrong."""

    kind: Literal["refused_key"] = "refused_key"


class UnknownModel(Fault):
    """404 for calls that name the model; a batch with it fails its validation."""

    kind: Literal["unknown_model"] = "unknown_model"


class Crowded(Fault):
    """429 for each call that comes while so many that match are in flight."""

    kind: Literal["crowded"] = "crowded"
    most: NonNegativeInt
    retry_after: int | float | None = None


class RateLimited(Fault):
    """429 for each call that comes when so many were let in within the last seconds.

    `Retry-After` tells when the next one will be let in, unless another value is given.
    """

    kind: Literal["rate_limited"] = "rate_limited"
    requests: PositiveInt
    seconds: Seconds = 60
    retry_after: int | float | None = None


class Interruption(Fault):
    """Something that comes between a call and its answer.

    `before`: nothing has happened yet. `after`: the file or batch exists, or the answer is paid, and
    nothing of it is sent. `during`: half of the answer's first piece is sent. `first_token`: all of a
    stream is sent that comes before its first token, so the status and the role. `last_token`: all is
    sent but the last token and the end. For an answer in one piece the last two are `after`.
    """

    when: Literal["before", "after", "during", "first_token", "last_token"] = "before"


class Drop(Interruption):
    """The connection is closed."""

    kind: Literal["drop"] = "drop"


class Hold(Interruption):
    """The call waits until `POST /_control/release`, or until its client goes away."""

    kind: Literal["hold"] = "hold"
    name: str = ""


class Slow(Interruption):
    kind: Literal["slow"] = "slow"
    seconds: Seconds


class BrokenStream(Fault):
    """A stream ends in its middle, and the connection stays open: by an error event, or by nothing.

    An answer in one piece is not struck. `when` is as in Interruption.
    """

    kind: Literal["broken_stream"] = "broken_stream"
    when: Literal["first_token", "last_token"] = "last_token"
    status: Annotated[int, Field(ge=400, le=599)] | None = 500


class Trickle(Fault):
    """The answer comes in pieces of so many bytes, a pause between them.

    Without a pause it shows who takes a piece for an event: pieces end in the middle of characters.
    """

    kind: Literal["trickle"] = "trickle"
    bytes: PositiveInt = 1
    seconds: Seconds = 0


class Withheld(Fault):
    """A 200 that answers nothing: no content, a refusal, or what a content filter left."""

    kind: Literal["withheld"] = "withheld"
    how: Literal["empty", "refusal", "filter"] = "empty"


class Latency(Fault):
    """How long answers of a model take: no fault, and so besides the one that strikes.

    `seconds` until the status, or the whole answer in one piece; then `first_token` until a stream's
    first token, and `token` from each one to the next. Of those that match the first one counts.
    """

    kind: Literal["latency"] = "latency"
    seconds: Seconds = 0
    first_token: Seconds = 0
    token: Seconds = 0


CallFault = (
    Status
    | RefusedKey
    | UnknownModel
    | Crowded
    | RateLimited
    | Drop
    | Hold
    | Slow
    | BrokenStream
    | Trickle
    | Withheld
)
