"""Repeated custom_ids are found in a stream of any length, also when it was interrupted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.steps import duplicates
from nightmail.steps.duplicates import CustomIds

IDS = st.lists(st.text(max_size=2) | st.sampled_from("abc"), max_size=40)
STOPS = st.sets(st.integers(0, 40), max_size=4)


def expected(custom_ids: list[str]) -> list[tuple[int, int]]:
    """Each line whose id stood before, with the first line of that id."""
    first: dict[str, int] = {}
    return sorted(
        (first[one], number)
        for number, one in enumerate(custom_ids, 1)
        if first.setdefault(one, number) != number
    )


@pytest.mark.parametrize("block_lines", [1, 2, 7, 8_192])
@given(custom_ids=IDS, stops=STOPS)
def test_every_repetition_is_found_with_the_first_of_its_kind(
    block_lines: int, custom_ids: list[str], stops: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK_LINES", block_lines)
        ids = CustomIds()
        for number, one in enumerate(custom_ids, 1):
            if number in stops:
                ids = CustomIds.from_bytes(ids.to_bytes())
            ids.add(one, number)
        assert sorted(ids.candidates()) == expected(custom_ids)


def test_a_line_takes_twelve_bytes() -> None:
    ids = CustomIds()
    for number in range(1, 1001):
        ids.add(f"request-{number}", number)
    assert len(ids.to_bytes()) == 12_000
