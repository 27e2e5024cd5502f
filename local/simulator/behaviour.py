"""Which fault strikes which call or batch, and how often it still may."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar, cast
from zlib import crc32

from local.simulator.call_faults import (
    CallFault,
    Crowded,
    Latency,
    RateLimited,
    UnknownModel,
)
from local.simulator.dialect import Content
from local.simulator.fault import Fault, Match
from local.simulator.faults import AnyFault

AFault = TypeVar("AFault", bound=Fault)
_ALL = 2**32


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a call when its faults are chosen."""

    method: str
    path: str
    key: str
    provider: str = "openai"
    model: str | None = None
    text: Content = b""
    metadata: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    digest: str = ""
    brings_batch: bool = False

    def fit(self, match: Match) -> bool:
        return (
            match.method in ("*", self.method)
            and fnmatchcase(self.provider, match.provider)
            and fnmatchcase(self.path, match.path)
            and self.key.endswith(match.key)
            and (match.model == "*" or fnmatchcase(self.model or "", match.model))
            and self.text.find(match.text.encode()) >= 0
            and match.metadata.items() <= self.metadata.items()
            and match.stream in (None, self.stream)
        )


@dataclass(slots=True)
class Armed:
    """A fault, how often it has struck, and what it has to remember of the calls that it spared."""

    fault: AnyFault
    struck: int = 0
    in_flight: int = 0
    let_in: deque[float] = field(default_factory=deque)
    met: Counter[str] = field(default_factory=Counter)

    def strikes(self, facts: Facts) -> bool:
        times = self.fault.times
        return (
            (times is None or self.struck < times)
            and facts.fit(self.fault.match)
            and self._is_full()
            and (self.fault.share == 1 or self._draws(facts.digest))
        )

    def seconds_to_wait(self) -> float:
        """How long until a limiter lets in the next call."""
        if isinstance(self.fault, RateLimited) and self.let_in:
            return max(0.0, self.let_in[0] + self.fault.seconds - time.monotonic())
        return 1.0

    def _is_full(self) -> bool:
        """Whether a limiter is at its limit; other faults have none, so that they always are."""
        if isinstance(self.fault, Crowded):
            return self.in_flight >= self.fault.most
        if isinstance(self.fault, RateLimited):
            return self._recent() >= self.fault.requests
        return True

    def _recent(self) -> int:
        assert isinstance(self.fault, RateLimited)
        horizon = time.monotonic() - self.fault.seconds
        while self.let_in and self.let_in[0] <= horizon:
            self.let_in.popleft()
        return len(self.let_in)

    def _draws(self, digest: str) -> bool:
        self.met[digest] += 1
        drawn = crc32(f"{self.fault.seed}:{digest}:{self.met[digest]}".encode())
        return drawn < self.fault.share * _ALL


class BatchFaults:
    """The faults of one batch, at most one of each kind."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = {type(fault): fault for fault in reversed(faults)}

    def get(self, kind: type[AFault]) -> AFault | None:
        return cast("AFault | None", self._faults.get(kind))


class Behaviour:
    """The faults that are set now. Empty: everything works."""

    def __init__(self) -> None:
        self.armed: list[Armed] = []

    def replace(self, faults: list[AnyFault]) -> None:
        self.armed = [Armed(fault) for fault in faults]

    def strike_call(self, facts: Facts) -> Armed | None:
        """The fault that this call meets; one that strikes only so many times is used up by it."""
        for armed in self.armed:
            if isinstance(armed.fault, CallFault) and armed.strikes(facts):
                names_one = facts.model is not None and not facts.brings_batch
                if isinstance(armed.fault, UnknownModel) and not names_one:
                    continue
                armed.struck += 1
                return armed
        return None

    @contextmanager
    def let_in(self, facts: Facts) -> Iterator[None]:
        """The limiters see this call among those in flight for as long as the block lasts."""
        limiters = [
            armed
            for armed in self.armed
            if isinstance(armed.fault, Crowded | RateLimited) and facts.fit(armed.fault.match)
        ]
        now = time.monotonic()
        for armed in limiters:
            armed.in_flight += 1
            armed.let_in.append(now)
        try:
            yield
        finally:
            for armed in limiters:
                armed.in_flight -= 1

    def latency_of(self, facts: Facts) -> Latency | None:
        for armed in self.armed:
            if isinstance(armed.fault, Latency) and armed.strikes(facts):
                armed.struck += 1
                return armed.fault
        return None

    def strike_batch(self, facts: Facts) -> BatchFaults:
        """The faults that a new batch keeps for life: an unknown model is one of them, too."""
        chosen: dict[type[Fault], Armed] = {}
        for armed in self.armed:
            kind = type(armed.fault)
            lasts = kind is UnknownModel or not isinstance(armed.fault, CallFault | Latency)
            if lasts and kind not in chosen and armed.strikes(facts):
                chosen[kind] = armed
        for armed in chosen.values():
            armed.struck += 1
        return BatchFaults([armed.fault for armed in chosen.values()])
