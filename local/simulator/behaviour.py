"""Which fault strikes which call or batch, and how often it still may."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar, cast

from local.simulator.faults import AnyFault, CallFault, Fault, Match, UnknownModel

AFault = TypeVar("AFault", bound=Fault)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a call when its faults are chosen."""

    method: str
    path: str
    key: str
    model: str | None = None
    text: bytes = b""
    metadata: dict[str, str] = field(default_factory=dict)

    def fit(self, match: Match) -> bool:
        return (
            match.method in ("*", self.method)
            and fnmatchcase(self.path, match.path)
            and self.key.endswith(match.key)
            and (match.model == "*" or fnmatchcase(self.model or "", match.model))
            and match.text.encode() in self.text
            and match.metadata.items() <= self.metadata.items()
        )


@dataclass(slots=True)
class Armed:
    """A fault, and how often it has struck."""

    fault: AnyFault
    struck: int = 0

    def strikes(self, facts: Facts) -> bool:
        times = self.fault.times
        return (times is None or self.struck < times) and facts.fit(self.fault.match)


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

    def strike_call(self, facts: Facts) -> CallFault | None:
        """The fault that this call meets; one that strikes only so many times is used up by it."""
        for armed in self.armed:
            fault = armed.fault
            if isinstance(fault, CallFault) and armed.strikes(facts):
                if isinstance(fault, UnknownModel) and facts.model is None:
                    continue
                armed.struck += 1
                return fault
        return None

    def strike_batch(self, facts: Facts) -> BatchFaults:
        """The faults that a new batch keeps for life: an unknown model is one of them, too."""
        chosen: dict[type[Fault], Armed] = {}
        for armed in self.armed:
            kind = type(armed.fault)
            lasts = kind is UnknownModel or not isinstance(armed.fault, CallFault)
            if lasts and kind not in chosen and armed.strikes(facts):
                chosen[kind] = armed
        for armed in chosen.values():
            armed.struck += 1
        return BatchFaults([armed.fault for armed in chosen.values()])
