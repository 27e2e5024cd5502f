"""The header Prefer says how long a caller wants to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.api.preferences import Preferences, preferences_of


@pytest.mark.parametrize(
    ("header", "respond_async", "wait_seconds"),
    [
        ("", False, None),
        ("respond-async", True, None),
        ("Respond-Async", True, None),
        ("wait=10", False, 10),
        ('wait="10"', False, 10),
        ("respond-async, wait=10", True, 10),
        ("respond-async; foo=1, wait = 5 ; bar", True, 5),
        ("wait=0", False, 0),
        ("wait=5, wait=9", False, 5),
        ("wait=soon", False, None),
        ("wait=-1", False, None),
        ("wait=1.5", False, None),
        ("wait=\u0665", False, None),
        ("wait=99999999999", False, None),
        ("return=minimal, handling=lenient", False, None),
    ],
)
def test_it_is_read_as_rfc_7240_says(
    header: str, *, respond_async: bool, wait_seconds: int | None
) -> None:
    assert preferences_of(header) == Preferences(respond_async, wait_seconds)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    preferences_of(header)


def test_nobody_waits_where_no_time_is_named() -> None:
    assert preferences_of("respond-async").is_for_later
    assert not preferences_of("respond-async, wait=3").is_for_later
    assert not preferences_of("wait=3").is_for_later
