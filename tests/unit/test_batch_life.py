"""Whole lives of batches, driven by the state machine's own file."""

from __future__ import annotations

import pytest
from nightmail.batch import BatchStatus

from local.simulator.client import SimulatorClient
from tests.unit.world import World, requests


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    return World(simulator)


def test_a_batch_is_answered_in_the_order_of_its_input(world: World) -> None:
    world.create(requests(12))
    assert world.run().state == "BatchEnded"
    assert world.batch.status is BatchStatus.COMPLETED
    results = world.check_promises(requests(12))
    assert len(results.output) == 12
    assert world.batch.error_file_id is None
