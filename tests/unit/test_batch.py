"""The table of a batch's moves, whole."""

from __future__ import annotations

import itertools

import pytest
from nightmail.batch import MAX_ERRORS, BatchError, BatchStatus
from nightmail.errors import StatusConflict

from tests.unit.samples import NOW, sample_batch

ALLOWED = {
    ("validating", "in_progress"),
    ("validating", "completed"),
    ("validating", "failed"),
    ("validating", "expired"),
    ("validating", "cancelling"),
    ("in_progress", "finalizing"),
    ("in_progress", "failed"),
    ("in_progress", "expired"),
    ("in_progress", "cancelling"),
    ("finalizing", "completed"),
    ("finalizing", "expired"),
    ("finalizing", "failed"),
    ("cancelling", "cancelled"),
    ("cancelling", "failed"),
}
WORDS = [status.value for status in BatchStatus]
MOVES = list(itertools.product(WORDS, WORDS))


def test_there_are_eight_words_and_sixty_four_moves() -> None:
    assert len(MOVES) == 64


@pytest.mark.parametrize(("before", "after"), [move for move in MOVES if move in ALLOWED])
def test_an_allowed_move_sets_the_status_and_its_time(before: str, after: str) -> None:
    moved = sample_batch(status=before).move_to(BatchStatus(after), NOW + 7)
    assert moved.status == after
    assert getattr(moved, f"{after}_at") == NOW + 7


@pytest.mark.parametrize(("before", "after"), [move for move in MOVES if move not in ALLOWED])
def test_any_other_move_is_refused_and_changes_nothing(before: str, after: str) -> None:
    batch = sample_batch(status=before)
    with pytest.raises(StatusConflict, match=f"from {before} to {after}"):
        batch.move_to(BatchStatus(after), NOW + 7)
    assert batch == sample_batch(status=before)


@pytest.mark.parametrize("word", WORDS)
def test_final_are_exactly_the_four_that_nothing_leads_away_from(word: str) -> None:
    assert BatchStatus(word).is_final == (word in {"completed", "failed", "expired", "cancelled"})


def test_a_move_carries_other_changes_and_leaves_the_batch_it_came_from_alone() -> None:
    batch = sample_batch()
    moved = batch.move_to(BatchStatus.IN_PROGRESS, NOW + 1, shards=3)
    assert (moved.shards, batch.shards) == (3, 0)
    assert batch.status == BatchStatus.VALIDATING


def test_a_batch_is_out_of_time_from_the_second_its_window_ends() -> None:
    batch = sample_batch(expires_at=NOW)
    assert not batch.is_out_of_time(NOW - 1)
    assert batch.is_out_of_time(NOW)


def test_a_hundred_errors_fit_into_an_item_whatever_they_say() -> None:
    long = "🦉" * 10_000
    errors = [BatchError(code=long, message=long, param=long, line=n) for n in range(MAX_ERRORS)]
    batch = sample_batch(errors=errors, metadata={str(n): "🦉" * 512 for n in range(16)})
    assert len(batch.model_dump_json().encode()) < 400 * 1024
