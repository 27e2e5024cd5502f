"""How the lines of a group are shared among its deployments. Deterministic, and pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from pydantic import BaseModel

from nightmail.deployment import Deployment


def weights_of(deployments: Sequence[Deployment]) -> list[int]:
    """The proportions of their shares, by the rule of LiteLLM's `simple-shuffle`: their weights where
    one has a weight, and who has none gets nothing; else their `rpm`, else their `tpm`; else they
    share alike. A limit that is not given is none, so limits count only where all have one.
    """
    by_weight = [deployment.weight or 0 for deployment in deployments]
    if any(by_weight):
        return _as_integers([Fraction(weight) for weight in by_weight])
    for limits in (
        [deployment.rpm or 0 for deployment in deployments],
        [deployment.tpm or 0 for deployment in deployments],
    ):
        if all(limits):
            return _as_integers([Fraction(limit) for limit in limits])
    return [1] * len(deployments)


class Balance(BaseModel):
    """Whose turn it is. After any number of lines each has its exact share to within one line.

    `weights` are proportions, of which one at least is not 0; `counts` are the lines that each took.
    """

    weights: list[int]
    counts: list[int]

    @classmethod
    def among(cls, deployments: Sequence[Deployment]) -> Balance:
        return cls(weights=weights_of(deployments), counts=[0] * len(deployments))

    def take(self) -> int:
        """The place of the one that takes the next line.

        A line is due in a window of its own: not before the share has grown to it, and before the
        share has outgrown it. Whose window ends first goes first, which meets all of them (Baruah et
        al., Proportionate progress, Algorithmica 15, 1996).
        """
        whole, line = sum(self.weights), sum(self.counts)
        _, place = min(
            (-(-(count + 1) * whole // weight), place)
            for place, (weight, count) in enumerate(zip(self.weights, self.counts, strict=True))
            if count * whole < (line + 1) * weight
        )
        self.counts[place] += 1
        return place


def _as_integers(shares: Sequence[Fraction]) -> list[int]:
    whole = lcm(*(share.denominator for share in shares))
    numbers = [int(share * whole) for share in shares]
    common = gcd(*numbers)
    return [number // common for number in numbers]
