"""What tests of every tier may ask for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import hypothesis
import pytest

from local.simulator.client import SimulatorClient
from local.simulator.server import running_simulator
from tests.bucket_folder import BUCKET
from tests.simulated import KEY, Provider

# How long an example takes depends on the machine, and is no property of the code.
hypothesis.settings.register_profile("nightmail", deadline=None)
hypothesis.settings.load_profile("nightmail")


@pytest.fixture(scope="session")
def _running_simulator() -> Iterator[SimulatorClient]:
    with running_simulator(BUCKET) as client:
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


@pytest.fixture
def provider_keys(simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> SimulatorClient:
    """An environment with providers' keys, new ones for each test; the simulator is all providers."""
    for provider in ("openai", "anthropic", "cohere"):
        stem = provider.upper()
        monkeypatch.setenv(f"{stem}_API_KEY", f"sk-{provider}-{secrets.token_hex(8)}")
        monkeypatch.setenv(f"{stem}_API_BASE", simulator.base_of(provider))
    for name in ("NIGHTMAIL_BASE_URL", "NIGHTMAIL_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return simulator
