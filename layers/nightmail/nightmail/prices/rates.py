"""Prices of the kinds of tokens, and what an answer costs by them. Exact, and pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from nightmail.usage import Usage

FREE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for one token of each kind, and for the `request` itself. None is no price.

    What has a price of its own is told apart: tokens read from a cache or written to it cost the
    input's price otherwise, those written for an hour that of any other write, reasoning the output's.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal = FREE

    def changed(self, prices: Mapping[str, Decimal]) -> Rates:
        """A copy in which these kinds cost something else."""
        return replace(self, **prices) if prices else self

    def completed(self) -> Rates:
        """A copy in which every kind has the price that it is billed at."""
        write = _first(self.cache_write, self.input)
        return replace(
            self,
            cached=_first(self.cached, self.input),
            cache_write=write,
            cache_write_1h=_first(self.cache_write_1h, write),
            reasoning=_first(self.reasoning, self.output),
        )

    def charge(self, usage: Usage) -> Decimal | None:
        """What an answer costs by completed rates; None where it has tokens without a price.

        A part that is said to be greater than its whole is as great as the whole.
        """
        read = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - read)
        for_an_hour = min(usage.cache_write_1h_tokens, written)
        reasoning = min(usage.reasoning_tokens, usage.output_tokens)
        amount = self.request
        for tokens, rate in (
            (usage.input_tokens - read - written, self.input),
            (read, self.cached),
            (written - for_an_hour, self.cache_write),
            (for_an_hour, self.cache_write_1h),
            (usage.output_tokens - reasoning, self.output),
            (reasoning, self.reasoning),
        ):
            if tokens:
                if rate is None:
                    return None
                amount += tokens * rate
        return amount


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates by the size of a request: the last whose tokens it exceeds holds for all of its tokens.

    `tiers` begin with 0 input tokens, and ascend.
    """

    tiers: Sequence[tuple[int, Rates]]

    def charge(self, usage: Usage) -> Decimal | None:
        """What the answer to one request costs; None where that is not known."""
        rates = self.tiers[0][1]
        for start, others in self.tiers[1:]:
            if usage.input_tokens > start:
                rates = others
        return rates.charge(usage)

    @property
    def is_linear(self) -> bool:
        """Whether a sum of usages costs as much as all of them."""
        return len(self.tiers) == 1 and not self.tiers[0][1].request

    def each(self, change: Callable[[Rates], Rates]) -> Tariff:
        """A copy with every tier's rates changed."""
        return Tariff(tuple((start, change(rates)) for start, rates in self.tiers))


def flat(rates: Rates) -> Tariff:
    """The same for requests of all sizes."""
    return Tariff(((0, rates),))


def _first(price: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if price is None else price
