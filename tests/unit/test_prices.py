"""What an answer costs: its entry's own prices, published ones, and what a batch takes off."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.cost import Cost
from nightmail.deployment import Deployment
from nightmail.prices.own import PRICE_KEYS
from nightmail.prices.price import price_of, price_of_sum
from nightmail.usage import Usage

USAGE = Usage(
    input_tokens=1000,
    cached_tokens=300,
    cache_write_tokens=200,
    cache_write_1h_tokens=50,
    output_tokens=100,
    reasoning_tokens=40,
)
UNKNOWN = Cost(amount=None, synchronous=None)
TOKENS = st.integers(0, 10**9)


def deployment(
    provider: str = "openai",
    model: str = "gpt-4o",
    *,
    api_base: str | None = None,
    base_model: str | None = None,
    **prices: str,
) -> Deployment:
    exact = {key: Decimal(price) for key, price in prices.items()}
    return Deployment(
        name="m",
        provider=provider,
        model=model,
        api_base=api_base,
        base_model=base_model,
        prices=exact,
    )


def self_hosted(**prices: str) -> Deployment:
    return deployment("hosted_vllm", "llama", api_base="http://gpu:8000/v1", **prices)


def amount(of: Deployment, lane: str = "direct", usage: Usage = USAGE) -> Decimal | None:
    return price_of(of, lane, usage).amount


def test_every_kind_of_token_has_the_price_that_its_entry_says() -> None:
    entry = self_hosted(
        input_cost_per_token="0.1",
        cache_read_input_token_cost="0.01",
        cache_creation_input_token_cost="1",
        cache_creation_input_token_cost_above_1hr="2",
        output_cost_per_token="10",
        output_cost_per_reasoning_token="100",
    )
    assert amount(entry) == 500 * Decimal("0.1") + 300 * Decimal("0.01") + 150 + 100 + 600 + 4000


def test_a_part_without_a_price_of_its_own_costs_what_its_whole_does() -> None:
    entry = self_hosted(input_cost_per_token="0.1", output_cost_per_token="10")
    assert amount(entry) == 1000 * Decimal("0.1") + 100 * 10
    writes = self_hosted(input_cost_per_token="0", cache_creation_input_token_cost="3")
    assert amount(writes, usage=USAGE.model_copy(update={"output_tokens": 0})) == 600


def test_prices_are_exact_however_small() -> None:
    entry = self_hosted(input_cost_per_token="0.1", output_cost_per_token="1e-20")
    usage = Usage(input_tokens=3, output_tokens=1)
    assert amount(entry, usage=usage) == Decimal("0.30000000000000000001")


def test_a_batch_has_the_batch_prices_of_its_entry() -> None:
    entry = self_hosted(
        input_cost_per_token="2",
        output_cost_per_token="4",
        input_cost_per_token_batches="0.5",
        output_cost_per_token_batches="3",
        cache_read_input_token_cost_batches="0.25",
        cache_creation_input_token_cost_batches="0.75",
    )
    cost = price_of(entry, "native", USAGE)
    assert cost.amount == 250 + 75 + 150 + 300
    assert cost.synchronous == 2000 + 400
    assert price_of(entry, "direct", USAGE) == Cost(amount=Decimal(2400), synchronous=Decimal(2400))


def test_batch_prices_alone_leave_it_open_what_it_would_have_cost_at_once() -> None:
    entry = self_hosted(input_cost_per_token_batches="1", output_cost_per_token_batches="2")
    assert price_of(entry, "native", USAGE) == Cost(amount=Decimal(1200), synchronous=None)
    assert price_of(entry, "direct", USAGE) == UNKNOWN


def test_an_own_price_is_halved_in_a_batch_where_the_provider_halves_it() -> None:
    prices = {
        "input_cost_per_token": "2",
        "cache_read_input_token_cost": "1",
        "output_cost_per_token": "4",
    }
    whole = 700 * 2 + 300 + 400
    assert amount(deployment("anthropic", "claude-x", **prices), "native") == Decimal(whole) / 2
    assert amount(deployment("openai", "gpt-4o", **prices), "native") == 700 + 300 + 200
    assert amount(deployment("openai", "gpt-3.5-turbo-1106", **prices), "native") == whole
    assert amount(deployment("xai", "grok-4.3", **prices), "native") == Decimal(whole) * 4 / 5
    assert amount(deployment("deepseek", "deepseek-chat", **prices), "native") == whole
    assert amount(self_hosted(**prices), "native") == whole


def test_own_prices_leave_no_room_for_published_ones() -> None:
    entry = deployment("openai", "gpt-4o", input_cost_per_token="1")
    assert amount(entry, usage=Usage(input_tokens=5)) == 5
    assert amount(entry) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5"), ("openai", "text-embedding-3-small")],
)
def test_a_published_price_is_halved_in_a_batch(provider: str, model: str) -> None:
    usage = Usage(input_tokens=1000, cached_tokens=300)
    cost = price_of(deployment(provider, model), "native", usage)
    assert cost.synchronous
    assert cost.amount == cost.synchronous / 2


def test_a_batch_costs_what_it_costs_at_once_where_nothing_is_given_off() -> None:
    for entry in (deployment("deepseek", "deepseek-chat"), deployment("cohere", "command-r-plus")):
        cost = price_of(entry, "native", Usage(input_tokens=1000, output_tokens=10))
        assert cost.synchronous
        assert cost.amount == cost.synchronous


@pytest.mark.parametrize(
    "entry",
    [
        self_hosted(),
        deployment("openai", "gpt-of-tomorrow"),
        deployment("openai", "whisper-1"),
        deployment("openai", "gpt-4o", api_base="http://gpu:8000/v1"),
        deployment("openai", "gpt-4o", api_base="os.environ/BASE"),
        deployment("openai_like", "gpt-4o", api_base="http://gpu:8000/v1"),
        deployment("hosted_vllm", "gpt-4o"),
        deployment("bedrock", "anthropic.claude-sonnet-4-5"),
        deployment("openai", "gpt-4o", base_model="nobody/knows"),
    ],
)
@pytest.mark.parametrize("lane", ["native", "direct"])
@pytest.mark.parametrize("usage", [USAGE, Usage(input_tokens=1)])
def test_a_price_that_nobody_knows_is_none_and_never_0(
    entry: Deployment, lane: str, usage: Usage
) -> None:
    assert price_of(entry, lane, usage) == UNKNOWN


def test_it_is_0_where_the_entry_or_the_provider_says_so() -> None:
    free = Cost()
    entry = self_hosted(input_cost_per_token="0", output_cost_per_token="0")
    assert price_of(entry, "direct", USAGE) == free
    assert price_of(deployment("openai", "omni-moderation-latest"), "native", Usage()) == free
    assert price_of(deployment("openrouter", "qwen/qwq-32b:free"), "direct", USAGE) == free


def test_a_url_of_a_provider_tells_whose_prices_hold() -> None:
    there = deployment(model="llama-3.1-8b-instant", api_base="https://api.groq.com/openai/v1")
    assert amount(there) == amount(deployment("groq", "llama-3.1-8b-instant"))
    assert amount(there)


def test_the_base_model_tells_whose_prices_hold() -> None:
    proxied = deployment("openai", "ours", api_base="http://proxy/v1", base_model="openai/gpt-4o")
    for lane in ("native", "direct"):
        assert price_of(proxied, lane, USAGE) == price_of(deployment(), lane, USAGE)
    renamed = deployment("groq", "ours", base_model="llama-3.1-8b-instant")
    assert amount(renamed) == amount(deployment("groq", "llama-3.1-8b-instant"))


def test_a_sum_of_usages_costs_what_its_answers_do() -> None:
    for entry in (deployment(), self_hosted(input_cost_per_token="1"), self_hosted()):
        one = price_of(entry, "native", USAGE)
        assert price_of_sum(entry, "native", USAGE + USAGE) == one + one


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-sonnet-4-5"), ("perplexity", "sonar-pro")]
)
def test_a_sum_tells_nothing_where_the_size_or_the_number_of_requests_counts(
    provider: str, model: str
) -> None:
    assert price_of_sum(deployment(provider, model), "native", USAGE) is None


@given(
    st.builds(
        Usage,
        input_tokens=TOKENS,
        cached_tokens=TOKENS,
        cache_write_tokens=TOKENS,
        cache_write_1h_tokens=TOKENS,
        output_tokens=TOKENS,
        reasoning_tokens=TOKENS,
    )
)
def test_parts_that_are_greater_than_the_whole_cost_no_more_than_the_dearest_whole(
    usage: Usage,
) -> None:
    entry = self_hosted(**dict.fromkeys(PRICE_KEYS, "3"))
    assert amount(entry, usage=usage) == 3 * (usage.input_tokens + usage.output_tokens)


def test_published_prices_are_read_only_when_one_is_looked_up() -> None:
    script = """
import sys
from nightmail.deployment import Deployment
from nightmail.prices.price import price_of
from nightmail.usage import Usage
own = Deployment(name="m", provider="openai", model="m", prices={"input_cost_per_token": "1"})
assert price_of(own, "native", Usage(input_tokens=2)).amount == 1
assert "genai_prices" not in sys.modules
price_of(Deployment(name="m", provider="openai", model="gpt-4o"), "native", Usage())
assert "genai_prices" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
