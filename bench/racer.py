"""Models of 50, 150 and 300 ms that race in every order, and what a client adds to the fastest one's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, permutations
from typing import Any

from bench.client import Client, Cost
from bench.upstream import Call, take_log

MILLISECONDS = (50, 150, 300)
ORDERS = tuple(permutations(MILLISECONDS))
FASTEST = min(MILLISECONDS)


@dataclass
class Racer:
    """One way to ask, and what came of those that did not win."""

    label: str
    client: Client
    task: str
    url: str
    orders: Sequence[tuple[int, ...]] = ORDERS
    given: Mapping[str, Any] = field(default_factory=dict)
    added: list[float] = field(default_factory=list)
    """Seconds of each race that are not the fastest upstream's own time."""
    losers: int = 0
    cut_after: list[float] = field(default_factory=list)
    """Seconds from the winner's answer to each loser's disconnect."""

    def __post_init__(self) -> None:
        self._orders = cycle(self.orders)

    def run(self) -> Cost:
        """Its seconds are those that it added."""
        take_log(self.url)
        urls = [f"{self.url}/{milliseconds}" for milliseconds in next(self._orders)]
        cost = self.client.measure(self.task, urls=urls, **self.given)
        calls = take_log(self.url)
        self.added.append(cost.seconds - _own_seconds(calls))
        self._note(calls)
        return Cost(self.added[-1], cost.cpu_seconds)

    def _note(self, calls: Sequence[Call]) -> None:
        won_at = min(call.answered_at for call in calls if call.answered_at and not call.left_at)
        self.losers += len(calls) - 1
        self.cut_after += [call.left_at - won_at for call in calls if call.left_at]


def _own_seconds(calls: Sequence[Call]) -> float:
    """Of the fastest; it may have been cut off, or not even asked."""
    for call in calls:
        if call.milliseconds == FASTEST and call.answered_at:
            return call.answered_at - call.came_at
    return FASTEST / 1000
