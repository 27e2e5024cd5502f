"""A set of line numbers in bits is what a set of numbers is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nightmail.steps.line_set import LineSet

NUMBERS = st.lists(st.integers(0, 300))


@given(NUMBERS, st.integers(-9, 400))
def test_it_has_what_was_put_in_and_nothing_else(numbers: list[int], asked: int) -> None:
    lines = LineSet(numbers)
    assert list(lines) == sorted(set(numbers))
    assert len(lines) == len(set(numbers))
    assert (asked in lines) is (asked in numbers)


@given(NUMBERS, NUMBERS)
def test_what_is_in_either_is_in_both_together(some: list[int], others: list[int]) -> None:
    both = LineSet(some) | LineSet(others)
    assert set(both) == {*some, *others}
    assert len(both) == len({*some, *others})


@given(NUMBERS)
def test_it_is_the_same_when_it_was_stored(numbers: list[int]) -> None:
    assert list(LineSet.from_bytes(LineSet(numbers).to_bytes())) == sorted(set(numbers))


def test_a_million_lines_take_an_eighth_of_a_megabyte() -> None:
    assert len(LineSet([1_000_000]).to_bytes()) <= 125_001
