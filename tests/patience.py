"""Waiting for what has to come true, without a time in any test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

PATIENCE_SECONDS = 200


def wait_until(condition: Callable[[], Any], pause_seconds: float = 0.1) -> None:
    """Returns as soon as the condition is true; fails the test when it never is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"This did not come true within {PATIENCE_SECONDS} s.")
        time.sleep(pause_seconds)
