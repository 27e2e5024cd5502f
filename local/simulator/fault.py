"""What every fault has: whom it strikes, and how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

Seconds = Annotated[float, Field(ge=0)]


class Match(BaseModel):
    """Which calls are meant; what is not given matches everything.

    `provider`, `path` and `model` are shell patterns (`/files/*/content`), the path without its
    provider's prefix and without its version; `key` is the end of the key; `text` is found anywhere
    in a JSON body; `metadata` are pairs that the body's metadata has; `stream` is what was asked.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    provider: str = "*"
    path: str = "*"
    key: str = ""
    model: str = "*"
    text: str = ""
    metadata: dict[str, str] = {}
    stream: bool | None = None


class Fault(BaseModel):
    """`share` of the calls that match are struck, `times` of them at most; null is always.

    Which ones a share strikes is a function of the request, of how often it came, and of `seed`: not
    of the order in which requests arrive.
    """

    model_config = ConfigDict(extra="forbid")

    match: Match = Match()
    times: PositiveInt | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1
    seed: int = 0
