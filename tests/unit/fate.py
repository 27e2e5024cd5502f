"""Death: a process that ends at a call that a test has chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.unit.machine import Killed


@dataclass
class Fate:
    """Ends a function at its `kill_at`-th call of a store or a provider, before or after its effect.

    Only calls that functions make are counted; a dead process calls nobody.
    """

    kill_at: int = 0
    after: bool = False
    calls: int = 0
    inside: bool = False
    dead: bool = False

    def call(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if not self.inside:
            return function(*given, **named)
        if self.dead:
            raise Killed
        self.calls += 1
        if self.calls == self.kill_at:
            self.dead = True
            if self.after:
                function(*given, **named)
            raise Killed
        return self.passed_on(function, *given, **named)

    def passed_on(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        answer = function(*given, **named)
        return self._each(answer) if isinstance(answer, Iterator) else answer

    def _each(self, entries: Iterator[Any]) -> Iterator[Any]:
        """Every entry of a stream is a call of its own."""
        end = object()
        while (entry := self.call(next, entries, end)) is not end:
            yield entry


class Mortal:
    """Something whose calls the fate counts."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found
        return lambda *given, **named: self._fate.call(found, *given, **named)
