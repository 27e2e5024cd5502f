"""Published prices, and the discounts, against the package that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st
from nightmail.deployment import Deployment
from nightmail.prices.discounts import TABLE, discount_of
from nightmail.prices.published import VENDORS, published_prices, vendor_at
from nightmail.prices.rates import Rates, Tariff
from nightmail.provider_names import KEY_NAMES
from nightmail.providers.registry import has_native_lane
from nightmail.usage import Usage

BATCH = {"processing": "batch"}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PREFIXES = {"fireworks": "accounts/fireworks/models/"}
MODELS = [
    (each.id, PREFIXES.get(each.id, "") + model.id)
    for each in providers
    if each.id in VENDORS.values()
    for model in each.models
]
TIMES = st.datetimes(datetime(2025, 1, 1), datetime(2026, 11, 21), timezones=st.just(UTC))  # noqa: DTZ001 - st wants it so
# On both sides of every tier.
SIZES = st.one_of(
    st.integers(0, 2_000_000),
    st.sampled_from([100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000]).flatmap(
        lambda start: st.integers(start, start + 1)
    ),
)
SHARES = st.lists(st.integers(0, 100), min_size=3, max_size=3)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    size, (read, written, for_an_hour) = draw(SIZES), draw(SHARES)
    cached = size * read // 100
    writes = (size - cached) * written // 100
    output = draw(st.integers(0, 100_000))
    return Usage(
        input_tokens=size,
        cached_tokens=cached,
        cache_write_tokens=writes,
        cache_write_1h_tokens=writes * for_an_hour // 100,
        output_tokens=output,
        reasoning_tokens=output * draw(st.integers(0, 100)) // 100,
    )


def calculated(
    vendor: str, model: str, usage: Usage, when: datetime, context: dict[str, str]
) -> Decimal:
    counts = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    return genai_prices.calc_price(
        counts,
        model,
        provider_id=vendor,
        genai_request_timestamp=when,
        price_context=context,
    ).total_price


def charged(tariff: Tariff, usage: Usage) -> Decimal | None:
    return tariff.each(Rates.completed).charge(usage)


@given(st.sampled_from(MODELS), usages(), TIMES)
def test_every_answer_costs_what_the_package_calculates(
    known: tuple[str, str], usage: Usage, when: datetime
) -> None:
    published = published_prices(*known, when)
    if published is None:
        return
    for tariff, context in ((published.direct, {}), (published.native, BATCH)):
        cost = charged(tariff, usage) if tariff else None
        if cost is not None:
            assert cost == calculated(*known, usage, when, context)


def test_hardly_a_model_is_without_a_price() -> None:
    """All but what is sold by the hour, the page or the character."""
    unknown = [known for known in MODELS if published_prices(*known, NOW) is None]
    assert len(unknown) < len(MODELS) / 20


def test_a_short_name_at_fireworks_is_one_of_its_own_models() -> None:
    short, whole = "deepseek-v3p2", "accounts/fireworks/models/deepseek-v3p2"
    assert published_prices("fireworks", short, NOW)
    assert published_prices("fireworks", short, NOW) == published_prices("fireworks", whole, NOW)


@pytest.mark.parametrize(
    ("vendor", "model", "tokens", "direct", "native"),
    [
        ("openai", "gpt-5-mini", 100_000, "0.225", "0.1125"),
        ("openai", "gpt-4o-mini", 100_000, "0.075", "0.0375"),
        ("anthropic", "claude-sonnet-4-5", 200_000, "3.6", "1.8"),
        ("anthropic", "claude-sonnet-4-5", 200_001, "5.7000285", "2.85001425"),
        ("x-ai", "grok-4.3", 100_000, "0.375", "0.3"),
    ],
)
def test_tiers_go_by_the_size_of_the_request(
    vendor: str, model: str, tokens: int, direct: str, native: str
) -> None:
    published = published_prices(vendor, model, NOW)
    assert published
    assert published.native
    usage = Usage(input_tokens=tokens, output_tokens=tokens)
    assert charged(published.direct, usage) == Decimal(direct)
    assert charged(published.native, usage) == Decimal(native)


def test_a_model_without_batch_prices_of_its_own_has_none_rather_than_the_ordinary_ones() -> None:
    published = published_prices("openai", "text-embedding-3-small", NOW)
    assert published
    assert published.native is None


def test_what_the_table_takes_off_is_what_is_published_where_batch_prices_are() -> None:
    # The pages round some prices to two digits, and have no tiers for one model; of Google's this
    # gateway speaks to Gemini alone.
    published_otherwise = {"gpt-5.4", "gpt-5.5-pro", "gpt-image-1", "gpt-image-1.5"}
    published_otherwise |= {"gemini-3.5-flash-lite", "claude-fable-5-2"}
    assert {model for _, model in _differences()} == published_otherwise


def _differences() -> Iterator[tuple[str, str]]:
    for vendor, model in MODELS:
        published = published_prices(vendor, model, NOW)
        if published and published.native:
            expected = published.direct.each(discount_of(vendor, model).taken_off)
            if expected != published.native:
                yield vendor, model


def test_every_provider_with_a_key_has_a_vendor_and_every_vendor_is_known() -> None:
    assert VENDORS.keys() == KEY_NAMES.keys() | {"bedrock"}  # which needs none: requests are signed
    known = {each.id for each in providers}
    assert known.issuperset(VENDORS.values())
    assert known.issuperset(row.vendor for row in TABLE)


def test_every_discount_names_its_page_and_when_it_was_known() -> None:
    for row in TABLE:
        assert row.source
        assert re.fullmatch(r"https://[a-z.]+/[a-z/-]+", row.url)
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row.as_of)


def test_every_provider_with_a_native_lane_is_in_the_table_of_discounts() -> None:
    native = {
        vendor
        for provider, vendor in VENDORS.items()
        if has_native_lane(Deployment(name="", provider=provider, model=""))
    }
    assert native
    assert native <= {row.vendor for row in TABLE}


def test_a_vendor_is_known_by_its_url() -> None:
    assert vendor_at("https://api.anthropic.com") == "anthropic"
    assert vendor_at("http://localhost:8000/v1") is None
