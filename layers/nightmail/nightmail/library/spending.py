"""What a provider's own batch costs, in a gateway's form. The provider tells the tokens, at best."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache

from nightmail.bill import Bill, TakenLane, total_usage
from nightmail.cost import UNKNOWN, Cost
from nightmail.cost_object import bills_object, usage_object
from nightmail.deployment import Deployment
from nightmail.library.backend import Body
from nightmail.library.objects import Batch
from nightmail.library.watch import FINAL
from nightmail.outcome import Kind, Outcome, bill_of, billed
from nightmail.prices.price import price_of, price_of_sum
from nightmail.usage import Usage, usage_of

_LANE: TakenLane = "native"
_DATE = re.compile(r"-20[0-9]{2}(-?[0-9]{2}){2}$")


@dataclass(frozen=True, slots=True)
class Seller:
    """Whose prices hold: the provider's, unless the call itself names another address."""

    provider: str
    api_base: str | None = None

    def with_cost(self, batch: Batch) -> Batch:
        """A final batch with the cost of the tokens that it tells of, where a sum has a price."""
        counts = batch.request_counts
        answered = counts.completed if counts else None
        if batch.status not in FINAL or answered is None:
            return batch
        bills = [self._bill(batch, answered)] if answered else []
        known = [bill for bill in bills if bill]
        if len(known) == len(bills):
            batch["nightmail"] = bills_object(known)
        return batch

    def priced(self, line: Body) -> Body:
        """A good outcome with its cost among its details."""
        response = line.get("response") or {}
        body = response.get("body")
        if "error" in line or not isinstance(body, dict):
            return line
        model = str(body.get("model"))
        details = {"provider": self.provider, "model": model}
        outcome = Outcome(0, Kind.ANSWERED, response, details=details)
        cost = self._cost(price_of, model, usage_of(body)) or UNKNOWN
        return {**line, "nightmail": billed(outcome, _LANE, cost).details}

    def _bill(self, batch: Batch, lines: int) -> Bill | None:
        model, usage = batch.model, usage_of(batch)
        if not model or usage == Usage():
            return None
        cost = self._cost(price_of_sum, model, usage)
        if cost is None:
            return None
        return Bill(
            model=model, provider=self.provider, lane=_LANE, lines=lines, usage=usage, cost=cost
        )

    def _cost(
        self, price: Callable[[Deployment, str, Usage], Cost | None], model: str, usage: Usage
    ) -> Cost | None:
        """A snapshot that is too new to have a known price costs what its model does."""
        cost = price(_deployment(self.provider, model, self.api_base), _LANE, usage)
        undated = _DATE.sub("", model)
        if cost == UNKNOWN and undated != model:
            return self._cost(price, undated, usage)
        return cost


async def counted(batch: Batch, lines: AsyncGenerator[Body]) -> AsyncGenerator[Body]:
    """The lines; behind the last one the batch tells what they used and cost, if it did not before."""
    bills: dict[object, Bill] = {}
    async with aclosing(lines):
        async for line in lines:
            yield line
            if bill := _bill_in(line):
                bills[bill.key] = bills[bill.key] + bill if bill.key in bills else bill
    if batch.nightmail is None:
        batch["usage"] = usage_object(total_usage(bills.values()))
        batch["nightmail"] = bills_object(list(bills.values()))


def _bill_in(line: Body) -> Bill | None:
    details = line.get("nightmail")
    if "error" in line or not details:
        return None
    return bill_of(Outcome(0, Kind.ANSWERED, line["response"], details=details))


@lru_cache(maxsize=128)
def _deployment(provider: str, model: str, api_base: str | None) -> Deployment:
    return Deployment(name=model, provider=provider, model=model, api_base=api_base)
