"""What a function learns of its invocation: when to stop or to answer, how long its lease has to last."""

from __future__ import annotations

import pytest
from nightmail.invocation import (
    answer_seconds,
    lease_seconds,
    long_answer_seconds,
    stream_seconds,
    time_is_up,
)

from tests.unit.gateway import LambdaContext


@pytest.mark.parametrize(("milliseconds", "seconds"), [(600_000, 605), (1_999, 6), (0, 5)])
def test_a_lease_outlives_its_function(milliseconds: int, seconds: int) -> None:
    assert lease_seconds(LambdaContext(remaining_milliseconds=milliseconds)) == seconds


def test_a_function_with_time_left_goes_on() -> None:
    assert not time_is_up(LambdaContext(remaining_milliseconds=900_000))()


def test_a_function_without_time_stops() -> None:
    assert time_is_up(LambdaContext(remaining_milliseconds=0))()


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(900_000, 25), (29_000, 25), (20_000, 17), (3_000, 0), (0, 0)]
)
def test_an_answer_comes_within_25_seconds_and_before_the_functions_end(
    milliseconds: int, seconds: int
) -> None:
    assert answer_seconds(LambdaContext(remaining_milliseconds=milliseconds)) == seconds


@pytest.mark.parametrize(
    ("milliseconds", "whole", "stream"), [(900_000, 290, 897), (100_000, 97, 97), (3_000, 0, 0)]
)
def test_what_can_be_a_stream_may_take_longer(
    milliseconds: int, whole: float, stream: float
) -> None:
    context = LambdaContext(remaining_milliseconds=milliseconds)

    assert (long_answer_seconds(context), stream_seconds(context)) == (whole, stream)
