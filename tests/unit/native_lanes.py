"""The native lanes that live through the suite of whole lives: of each folder whose module
`native/<folder>_lane.py` tells of one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.folders import attributes_in
from tests.unit.native.lane import NativeLane

_FOUND: list[NativeLane] = attributes_in(Path(__file__).parent / "native", "lane")
NATIVE_LANES = {lane.provider: lane for lane in _FOUND}
KILLED = [provider for provider in ("openai", "anthropic") if provider in NATIVE_LANES]
"""Of those, who lives through the long suites, and a kill at each call: one whose batches are tagged,
and one whose are not.

To the steps the others are like one of these two, and so many lives take minutes.
"""


def those(fit: Callable[[NativeLane], bool]) -> pytest.MarkDecorator:
    """A test that asks for `native` runs for the lanes that `fit` alone."""
    fitting = [lane for lane in _FOUND if fit(lane)]
    return pytest.mark.parametrize("native", fitting, ids=lambda lane: lane.provider)
