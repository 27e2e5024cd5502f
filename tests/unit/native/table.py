"""The adapters that the suite runs over: those of the providers' folders that have samples here.

A module `<folder>_samples` has them, under the folder's name in capitals.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.folders import attributes_in
from tests.unit.native.cases import NativeSamples

ADAPTERS: tuple[NativeSamples, ...] = tuple(attributes_in(Path(__file__).parent, "samples"))


def those(fit: Callable[[NativeSamples], bool]) -> pytest.MarkDecorator:
    """A test that asks for `samples` runs for the adapters that `fit` alone."""
    return pytest.mark.parametrize(
        "samples",
        [samples for samples in ADAPTERS if fit(samples)],
        ids=lambda samples: samples.direct.provider,
    )
