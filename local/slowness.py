"""Let functions wait for AWS, so that tests can show what becomes of work that does not fit into its time.

`POST /_nightmail/slow` on the emulator's port takes `{"function": <FunctionName>, "call": ...,
"seconds": 0.5}`: from now on each call of AWS that matches takes so much longer. The pattern is that of
`local.chaos.Call`. `DELETE` forgets all of them.
"""

from __future__ import annotations

import asyncio
import fnmatch

from pydantic import BaseModel, ConfigDict, PositiveFloat

from local import chaos


class Slowness(BaseModel):
    model_config = ConfigDict(extra="forbid")

    function: str
    call: str
    seconds: PositiveFloat


_all: list[Slowness] = []


def add(slowness: Slowness) -> None:
    _all.append(slowness)


def forget() -> None:
    _all.clear()


async def wait(access_key: str, call: str) -> None:
    """Returns when a call of AWS, signed with this key, may go on."""
    function = chaos.function_with(access_key) if _all else None
    for slowness in _all:
        if slowness.function == function and fnmatch.fnmatchcase(call, slowness.call):
            await asyncio.sleep(slowness.seconds)
