"""How a group's lines are shared."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.balance import Balance, weights_of
from nightmail.deployment import Deployment

WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any)
LINES = st.integers(0, 300)


def deployment(
    weight: str | None = None, rpm: int | None = None, tpm: int | None = None
) -> Deployment:
    exact = Decimal(weight) if weight else None
    return Deployment(name="m", provider="openai", model="m", weight=exact, rpm=rpm, tpm=tpm)


def taken(weights: list[int], lines: int) -> list[int]:
    balance = Balance(weights=weights, counts=[0] * len(weights))
    return [balance.take() for _ in range(lines)]


@given(WEIGHTS, LINES)
def test_every_beginning_is_shared_exactly_to_within_one_line(
    weights: list[int], lines: int
) -> None:
    balance = Balance(weights=weights, counts=[0] * len(weights))
    for line in range(1, lines + 1):
        balance.take()
        assert sum(balance.counts) == line
        for count, weight in zip(balance.counts, weights, strict=True):
            assert abs(count - Fraction(weight * line, sum(weights))) < 1


@given(WEIGHTS, LINES, LINES)
def test_it_goes_on_where_it_stopped(weights: list[int], lines: int, more: int) -> None:
    balance = Balance(weights=weights, counts=[0] * len(weights))
    first = [balance.take() for _ in range(lines)]
    resumed = Balance.model_validate_json(balance.model_dump_json())
    assert first + [resumed.take() for _ in range(more)] == taken(weights, lines + more)


@pytest.mark.parametrize(
    ("weights", "order"),
    [([1, 1], [0, 1, 0, 1]), ([3, 1], [0, 0, 0, 1]), ([0, 5], [1, 1, 1, 1]), ([7], [0, 0, 0, 0])],
)
def test_turns_are_taken_evenly(weights: list[int], order: list[int]) -> None:
    assert taken(weights, 4) == order


@pytest.mark.parametrize(
    ("deployments", "weights"),
    [
        ([deployment(), deployment(), deployment()], [1, 1, 1]),
        ([deployment("9"), deployment("1")], [9, 1]),
        ([deployment("0.3"), deployment("0.2")], [3, 2]),
        ([deployment("2"), deployment("4")], [1, 2]),
        ([deployment("1", rpm=5), deployment(rpm=60)], [1, 0]),
        ([deployment(rpm=60), deployment(rpm=20)], [3, 1]),
        ([deployment(rpm=60, tpm=1), deployment(tpm=4)], [1, 4]),
        ([deployment(rpm=60), deployment()], [1, 1]),
        ([], []),
    ],
)
def test_weights_go_before_limits_and_limits_count_where_all_have_one(
    deployments: list[Deployment], weights: list[int]
) -> None:
    assert weights_of(deployments) == weights


def test_a_group_is_shared_by_its_weights() -> None:
    balance = Balance.among([deployment("2"), deployment("1")])
    assert [balance.take() for _ in repeat(None, 6)].count(0) == 4
