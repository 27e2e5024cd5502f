"""What tests of every tier may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import hypothesis
import pytest

from local.simulator.client import SimulatorClient
from local.simulator.server import running_simulator
from tests.simulated import KEY, Provider

# How long an example takes depends on the machine, and is no property of the code.
hypothesis.settings.register_profile("nightmail", deadline=None)
hypothesis.settings.load_profile("nightmail")


@pytest.fixture(scope="session")
def _running_simulator() -> Iterator[SimulatorClient]:
    with running_simulator() as client:
        yield client


@pytest.fixture
def simulator(_running_simulator: SimulatorClient) -> SimulatorClient:
    """A provider on a real socket that has forgotten all earlier tests; its batches take no time."""
    _running_simulator.reset()
    _running_simulator.set(batch_seconds=0)
    return _running_simulator


@pytest.fixture(scope="session")
def _http(_running_simulator: SimulatorClient) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    base_url = _running_simulator.base_url
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        yield http


@pytest.fixture
def provider(simulator: SimulatorClient, _http: httpx.Client) -> Provider:
    """The simulator's provider side, through a plain HTTP client with a key."""
    return Provider(simulator, _http)
