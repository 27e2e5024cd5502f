"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.miniature import Miniature, deploy_miniature


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Miniature]:
    """The emulator with the miniature deployed, once for all fidelity tests."""
    miniature = deploy_miniature(tmp_path_factory.mktemp("emulator"))
    with miniature.http:
        yield miniature
    miniature.emulator.process.stop()


@pytest.fixture(autouse=True)
def _no_kill_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "miniature" in request.fixturenames:
        request.getfixturevalue("miniature").emulator.forget_kills()
