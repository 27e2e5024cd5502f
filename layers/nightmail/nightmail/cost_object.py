"""Bills and estimates as the API writes them: costs in US dollars, null where nobody knows a price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from nightmail.bill import Bill, TakenLane, total_cost
from nightmail.cost import Cost
from nightmail.estimate import Estimate, EstimatedWay
from nightmail.usage import Usage

_LANES: tuple[TakenLane, ...] = ("native", "direct")


def bills_object(bills: Sequence[Bill]) -> dict[str, Any]:
    """What was used, by who answered and on which lane, and what it costs in all.

    `unpriced_models` are there only where a price is missing.
    """
    unpriced = [bill.model for bill in bills if _saved(bill.cost) is None]
    named = {"unpriced_models": list(dict.fromkeys(unpriced))} if unpriced else {}
    return {"usage": [_bill_object(bill) for bill in bills], **_in_all(total_cost(bills)), **named}


def usage_object(usage: Usage) -> dict[str, Any]:
    """Tokens as OpenAI's Batch object has them."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def estimate_object(estimate: Estimate) -> dict[str, Any]:
    """What a batch would be: in all, by lane, and by each way that its lines would go."""
    ways = estimate.ways
    lanes = ((lane, [way for way in ways if way.lane == lane]) for lane in _LANES)
    return {
        "lines": estimate.lines,
        "refused": estimate.refused,
        "shards": estimate.shards,
        "chunks": estimate.chunks,
        **_tokens(ways),
        **_in_all(_cost_of(ways)),
        "lanes": [
            {
                "lane": lane,
                "lines": sum(way.lines for way in taken),
                **_tokens(taken),
                **cost_object(_cost_of(taken)),
            }
            for lane, taken in lanes
            if taken
        ],
        "ways": [_way_object(way) for way in ways],
        "warnings": estimate.warnings,
    }


def cost_object(cost: Cost) -> dict[str, float | None]:
    """What is billed, and what it would be had every request been made at once."""
    return {"cost": _dollars(cost.amount), "synchronous_cost": _dollars(cost.synchronous)}


def _in_all(cost: Cost) -> dict[str, float | None]:
    return {**cost_object(cost), "saved": _dollars(_saved(cost))}


def _saved(cost: Cost) -> Decimal | None:
    """None where one of the two is not known."""
    if cost.amount is None or cost.synchronous is None:
        return None
    return cost.synchronous - cost.amount


def _dollars(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _bill_object(bill: Bill) -> dict[str, Any]:
    return {
        "model": bill.model,
        "provider": bill.provider,
        "lane": bill.lane,
        "lines": bill.lines,
        **bill.usage.model_dump(),
        **cost_object(bill.cost),
    }


def _way_object(way: EstimatedWay) -> dict[str, Any]:
    plain = way.model_dump(exclude={"cost", "unlimited", "input_tokens", "output_tokens"})
    return {**plain, **_tokens([way]), **cost_object(way.cost)}


def _tokens(ways: Sequence[EstimatedWay]) -> dict[str, int]:
    """`unlimited_lines` set no limit on their output, which is in no figure."""
    return {
        "input_tokens": sum(way.input_tokens for way in ways),
        "output_tokens": sum(way.output_tokens for way in ways),
        "unlimited_lines": sum(way.unlimited for way in ways),
    }


def _cost_of(ways: Iterable[EstimatedWay]) -> Cost:
    return sum((way.cost for way in ways), Cost())
