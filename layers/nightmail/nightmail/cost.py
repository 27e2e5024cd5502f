"""What answers cost, in US dollars, exactly."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

ZERO = Decimal(0)


class Cost(BaseModel):
    """The `amount` that is billed, and the `synchronous` one, had every request been made at once.

    None is a price that nobody knows; a sum with it is not known either.
    """

    model_config = ConfigDict(frozen=True)

    amount: Decimal | None = ZERO
    synchronous: Decimal | None = ZERO

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            amount=_sum(self.amount, other.amount),
            synchronous=_sum(self.synchronous, other.synchronous),
        )


UNKNOWN = Cost(amount=None, synchronous=None)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
