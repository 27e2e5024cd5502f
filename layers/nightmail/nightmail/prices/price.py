"""What one answer costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from nightmail.cost import Cost
from nightmail.deployment import Deployment
from nightmail.prices.discounts import discount_of
from nightmail.prices.own import own_batch_prices, own_prices
from nightmail.prices.published import VENDORS, published_prices, vendor_at
from nightmail.prices.rates import Rates, Tariff, flat
from nightmail.provider_names import BASE_NAMES, split_model
from nightmail.usage import Usage

Pricer = Callable[[Deployment, str, Usage], Cost]
"""Of a deployment, the lane that was taken ("native" or "direct"), and one answer's usage."""

_MINUTE = 60


class _Tariffs(NamedTuple):
    direct: Tariff
    native: Tariff


def price_of(deployment: Deployment, lane: str, usage: Usage) -> Cost:
    """The cost of one answer, by the prices of this minute.

    `synchronous` is what it costs on the direct lane. What nobody knows is None.
    """
    tariffs = _tariffs(deployment, int(time.time()) // _MINUTE)
    synchronous = tariffs.direct.charge(usage)
    amount = tariffs.native.charge(usage) if lane == "native" else synchronous
    return Cost(amount=amount, synchronous=synchronous)


def price_of_sum(deployment: Deployment, lane: str, usage: Usage) -> Cost | None:
    """The cost of many answers by the sum of their usages, or None where the sum does not tell it:
    tiers go by the size of a request.
    """
    tariffs = _tariffs(deployment, int(time.time()) // _MINUTE)
    is_linear = tariffs.direct.is_linear and tariffs.native.is_linear
    return price_of(deployment, lane, usage) if is_linear else None


@lru_cache(maxsize=1024)
def _tariffs(deployment: Deployment, minute: int) -> _Tariffs:
    """For a minute: prices have days, and hours of the day, from which on they hold."""
    vendor, model = _sold_as(deployment)
    own = own_prices(deployment.prices)
    when = datetime.fromtimestamp(minute * _MINUTE, UTC)
    published = published_prices(vendor, model, when) if vendor and not own else None
    direct = published.direct if published else flat(Rates().changed(own))
    native = published.native if published else None
    native = native or direct.each(discount_of(vendor, model).taken_off)
    in_batches = own_batch_prices(deployment.prices)
    native = native.each(lambda rates: rates.changed(in_batches))
    return _Tariffs(direct.each(Rates.completed), native.each(Rates.completed))


def _sold_as(deployment: Deployment) -> tuple[str | None, str]:
    """Who sells the model, and as what. Nobody knows what a server asks that only speaks like a
    provider: it has no vendor.
    """
    provider, model = deployment.provider, deployment.model
    if deployment.base_model:
        provider, model = split_model(deployment.base_model) or (provider, deployment.base_model)
    elif deployment.api_base and provider not in BASE_NAMES:
        return vendor_at(deployment.api_base), model
    return VENDORS.get(provider), model
