"""A batch API of OpenAI's shape that only the config knows of: `batch: native` on `custom_openai`."""

from __future__ import annotations

import pytest

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.world import CHAT, World, request, requests


@pytest.fixture
def world(simulator: SimulatorClient) -> World:
    return World(simulator, provider="custom_openai", lane="native")


def finish(world: World, lines: list[Json]) -> str:
    world.create(lines)
    world.run()
    return world.batch.status.value


def test_a_batch_is_answered_by_the_servers_own_batches(world: World) -> None:
    lines = [*requests(12), request(13, "[[fail:400]]")]
    assert finish(world, lines) == "completed"
    results = world.check_promises(lines)
    assert results.lanes == ["native"] * 12
    assert [line["response"]["status_code"] for line in results.errors] == [400]
    (batch,) = world.simulator.batches()
    assert (batch["provider"], batch["endpoint"]) == ("custom_openai", CHAT)
    assert not [call for call in world.simulator.calls() if call["path"] == "/chat/completions"]


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_batch_whose_answer_was_lost_is_found_and_paid_once(world: World, when: str) -> None:
    fault = {"kind": "drop", "when": when, "times": 1}
    world.simulator.behave({**fault, "match": {"method": "POST", "path": "/batches"}})
    assert finish(world, requests(5)) == "completed"
    assert world.check_promises(requests(5)).lanes == ["native"] * 5
    assert len(world.simulator.batches()) == 1


def test_what_such_a_server_lets_expire_is_submitted_again(world: World) -> None:
    world.simulator.behave({"kind": "expired_batch", "after_lines": 2})
    assert finish(world, requests(5)) == "completed"
    assert world.check_promises(requests(5)).lanes == ["native"] * 5
    assert len(world.simulator.batches()) == 3  # of which each answers two lines


def test_a_cancelled_batch_is_stopped_at_the_server(world: World) -> None:
    world.simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    world.cancel_at = "PollShard"
    assert finish(world, requests(5)) == "cancelled"
    (batch,) = world.simulator.batches()
    assert batch["status"] == "cancelled"
    assert len(world.check_promises(requests(5)).output) == 2
