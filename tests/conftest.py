"""What tests of every tier may ask for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import hypothesis
import pytest
from nightmail.provider_names import SERVED, split_model
from nightmail.providers.registry import has_direct_lane

from local.simulator.client import SimulatorClient
from local.simulator.server import running_simulator
from tests.bucket_folder import BUCKET
from tests.simulated import KEY, Provider

# How long an example takes depends on the machine, and is no property of the code.
hypothesis.settings.register_profile("nightmail", deadline=None)
hypothesis.settings.load_profile("nightmail")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that names a provider goes with that provider's folder.

    It names one in a mark `of`, or by a parameter: its name, a model of it, what has a `provider`, or a
    list of these.
    """
    gone = {provider for provider in SERVED if not has_direct_lane(provider)}
    orphans = [item for item in items if gone and gone & _named_by(item)]
    if orphans:
        items[:] = [item for item in items if item not in orphans]
        config.hook.pytest_deselected(items=orphans)


def _named_by(item: pytest.Item) -> set[str]:
    case = getattr(item, "callspec", None)
    parameters = case.params.values() if case else ()
    marks = (name for mark in item.iter_markers("of") for name in mark.args)
    return {*marks, *(name for value in parameters for name in _names_in(value))}


def _names_in(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _names_in(each)
    name = getattr(value, "provider", value)
    if isinstance(name, str):
        yield from (name, *(split_model(name) or ())[:1])


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
