"""Ids: their forms, their order, and those that are derived."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from nightmail import ids

SEED = "inbox/alice/q.jsonl\netag\nsequencer"


@pytest.mark.parametrize(
    ("made", "form"),
    [
        (ids.new_file_id, r"file-[0-9A-Za-z]{22}"),
        (ids.new_batch_id, r"batch_[0-9a-f]{32}"),
        (ids.new_upload_id, r"upload_[0-9a-f]{32}"),
        (ids.new_part_id, r"part_[0-9a-f]{32}"),
        (ids.new_request_id, r"req_[0-9a-f]{32}"),
        (lambda: ids.derived_file_id(SEED, 0), r"file-[0-9A-Za-z]{22}"),
        (lambda: ids.derived_batch_id(SEED, 0), r"batch_[0-9a-f]{32}"),
    ],
)
def test_ids_have_openais_prefixes_and_one_length(made: Callable[[], str], form: str) -> None:
    assert re.fullmatch(form, made())


def test_derived_ids_are_the_same_each_time_and_differ_by_seed_and_second() -> None:
    made = [
        derive(seed, second)
        for derive in (ids.derived_file_id, ids.derived_batch_id)
        for seed in (SEED, SEED + "x")
        for second in (1, 2)
    ]
    assert len(set(made)) == 8
    assert ids.derived_batch_id(SEED, 1) == made[4]


@pytest.mark.parametrize("derive", [ids.derived_file_id, ids.derived_batch_id])
def test_derived_ids_sort_by_their_second_whatever_the_seed(
    derive: Callable[[str, int], str],
) -> None:
    seconds = [0, 1, 61, 62, 1_795_226_400, 1_795_226_401, 9_999_999_999]
    made = [derive(f"{SEED}{second * 7919 % 13}", second) for second in seconds]
    assert made == sorted(made)


def test_new_ids_sort_among_derived_ones() -> None:
    assert ids.derived_batch_id(SEED, 1_700_000_000) < ids.new_batch_id()
    assert ids.new_batch_id() < ids.derived_batch_id(SEED, 9_999_999_999)
