"""Every test here that asks for `samples` runs once for each adapter."""

from __future__ import annotations

import pytest

from tests.unit.native.cases import NativeSamples
from tests.unit.native.table import ADAPTERS


@pytest.fixture(params=ADAPTERS, ids=lambda samples: samples.direct.provider)
def samples(request: pytest.FixtureRequest) -> NativeSamples:
    found: NativeSamples = request.param
    return found
