"""What answers used and cost, by who gave them and on which lane."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nightmail.cost import Cost
from nightmail.usage import Usage

TakenLane = Literal["native", "direct"]


class Bill(BaseModel):
    """Of `lines` successful lines. `model` is the public name of the model that answered them."""

    model_config = ConfigDict(frozen=True)

    model: str
    provider: str
    lane: TakenLane
    lines: int = 0
    usage: Usage = Field(default_factory=Usage)
    cost: Cost = Field(default_factory=Cost)

    @property
    def key(self) -> tuple[str, str, TakenLane]:
        """Bills of one key are one bill."""
        return self.model, self.provider, self.lane

    def __add__(self, other: Bill) -> Bill:
        return self.plus(other.lines, other.usage, other.cost)

    def plus(self, lines: int, usage: Usage, cost: Cost) -> Bill:
        """The bill with so many lines more, and what they used and cost."""
        return self.model_copy(
            update={
                "lines": self.lines + lines,
                "usage": self.usage + usage,
                "cost": self.cost + cost,
            }
        )


def summed(bills: Iterable[Bill]) -> list[Bill]:
    """One bill for each key, in the order in which the keys first come."""
    found: dict[tuple[str, str, TakenLane], Bill] = {}
    for bill in bills:
        found[bill.key] = found[bill.key] + bill if bill.key in found else bill
    return list(found.values())


def total_usage(bills: Iterable[Bill]) -> Usage:
    return sum((bill.usage for bill in bills), Usage())


def total_cost(bills: Iterable[Bill]) -> Cost:
    return sum((bill.cost for bill in bills), Cost())
