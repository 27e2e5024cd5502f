"""Every test here that asks for `samples` runs once for each adapter."""

from __future__ import annotations

import pytest

from tests.unit.adapters.cases import AdapterSamples
from tests.unit.adapters.table import ADAPTERS


@pytest.fixture(params=ADAPTERS, ids=lambda samples: samples.provider)
def samples(request: pytest.FixtureRequest) -> AdapterSamples:
    found: AdapterSamples = request.param
    return found
