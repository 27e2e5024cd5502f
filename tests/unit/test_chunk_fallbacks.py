"""Where a chunk's deployment fails for good, its fallbacks are asked at once, by the same worker."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.chunk import ChunkState
from nightmail.deployment import Deployment
from nightmail.errors import CredentialMissing
from nightmail.part import Ending
from nightmail.providers.direct import DirectProvider
from nightmail.quota import quota_key

from local.simulator.client import SimulatorClient
from tests.unit.chunk_work import run, the_chunk
from tests.unit.machine import Json
from tests.unit.world import MODEL, World, request, requests

SPARE = "spare"
SPARES_MODEL = "spare-upstream"


def a_world(simulator: SimulatorClient, lines: list[Json], **more: Any) -> World:
    """A chunk whose model has a fallback at the same provider."""
    fields: Json = {"fallbacks": {MODEL: [SPARE]}, "limits": {"num_retries": 1}, **more}
    groups = fields.pop("groups", {})
    world = World(simulator, lane="direct", **fields)
    world.groups = {SPARE: [world.deployment(SPARE, model=SPARES_MODEL)], **groups}
    world.create(lines)
    while world.step("PlanBatch")["next"] == "more":
        pass
    return world


def asked(simulator: SimulatorClient, model: str) -> int:
    return len([call for call in simulator.calls() if call["model"] == model])


def failing(status: int, code: str | None = None, **more: Any) -> Json:
    """A fault of the chunk's own model."""
    match = {"model": "gpt-5-mini-upstream", **more.pop("match", {})}
    return {"kind": "status", "status": status, "code": code, "match": match, **more}


def test_a_refused_key_leaves_all_lines_to_the_fallback_and_is_not_asked_again(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(failing(401))
    world = a_world(simulator, requests(20), concurrency=2)
    assert run(world) == ("done", 0)
    chunk = the_chunk(world)
    assert (chunk.state, chunk.ending, chunk.completed) == (ChunkState.DONE, Ending.COMPLETED, 20)
    assert asked(simulator, "gpt-5-mini-upstream") <= 2
    assert [bill.key for bill in chunk.bills] == [(SPARE, "openai", "direct")]
    world.step("FinalizeBatch")
    output = world.check_promises(requests(20)).output
    assert {line["response"]["body"]["model"] for line in output} == {SPARE}


def test_a_line_whose_tries_are_used_up_is_answered_by_the_fallback(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(failing(500, match={"text": "Q2?"}))
    world = a_world(simulator, requests(3))
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    output = world.check_promises(requests(3)).output
    assert [line["response"]["body"]["model"] for line in output] == [MODEL, SPARE, MODEL]
    assert asked(simulator, "gpt-5-mini-upstream") == 2 + 2, "the line was tried again there first"
    assert asked(simulator, SPARES_MODEL) == 1
    assert [(bill.model, bill.lines) for bill in sorted(world.batch.bills, key=str)] == [
        (MODEL, 2),
        (SPARE, 1),
    ]


def test_a_request_that_is_wrong_for_everybody_does_not_fall_back(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(failing(400, "invalid_value", match={"text": "Q2?"}))
    world = a_world(simulator, requests(3))
    assert run(world) == ("done", 0)
    assert asked(simulator, SPARES_MODEL) == 0
    assert (the_chunk(world).completed, the_chunk(world).failed) == (2, 1)


def test_what_is_too_long_for_one_model_is_not_asked_of_its_siblings_but_of_another_model(
    simulator: SimulatorClient,
) -> None:
    too_long = {"kind": "status", "status": 400, "code": "context_length_exceeded"}
    simulator.behave({**too_long, "match": {"model": "first-upstream"}})
    world = a_world(simulator, requests(1))
    siblings = [world.deployment(model=f"{name}-upstream") for name in ("first", "second")]
    world.groups[MODEL] = siblings
    chunk = the_chunk(world)
    (spare,) = world.groups[SPARE]
    world.stores.parts.save(chunk.changed(deployment=siblings[0], fallbacks=[siblings[1], spare]))
    assert run(world) == ("done", 0)
    assert asked(simulator, "first-upstream") == 1
    assert asked(simulator, "second-upstream") == 0
    assert asked(simulator, SPARES_MODEL) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, None), (400, "OperationNotSupported")],
    ids=["an unknown model", "a deployment of another type"],
)
def test_a_sibling_answers_what_a_deployment_cannot(
    simulator: SimulatorClient, status: int, code: str | None
) -> None:
    simulator.behave(failing(status, code))
    world = a_world(simulator, requests(1), fallbacks={})
    sibling = world.deployment(model="sibling-upstream")
    world.stores.parts.save(the_chunk(world).changed(fallbacks=[sibling]))
    assert run(world) == ("done", 0)
    (bill,) = the_chunk(world).bills
    assert bill.model == MODEL


def test_where_all_refuse_the_chunk_stops_with_what_its_own_deployment_said(
    simulator: SimulatorClient,
) -> None:
    everybody = {"kind": "status", "status": 402, "message": "Pay first.", "match": {}}
    simulator.behave(failing(401, message="Who are you?"), everybody)
    world = a_world(simulator, requests(5), concurrency=1)
    assert run(world) == ("done", 0)
    chunk = the_chunk(world)
    assert (chunk.state, chunk.ending) == (ChunkState.STOPPED, Ending.FAILED)
    assert "Who are you?" in chunk.errors[0].message
    assert len(simulator.calls()) == 2


def test_a_deployment_of_the_wrong_type_is_asked_once(simulator: SimulatorClient) -> None:
    everybody = {"kind": "status", "status": 400, "code": "OperationNotSupported", "match": {}}
    simulator.behave(everybody)
    world = a_world(simulator, requests(5), concurrency=1, fallbacks={})
    assert run(world) == ("done", 0)
    assert the_chunk(world).state is ChunkState.STOPPED
    assert len(simulator.calls()) == 1


def test_a_line_that_all_fail_is_told_what_the_first_said(simulator: SimulatorClient) -> None:
    everybody = {"kind": "status", "status": 403, "match": {"text": "Q1?", "model": SPARES_MODEL}}
    simulator.behave(failing(404, message="No such model.", match={"text": "Q1?"}), everybody)
    world = a_world(simulator, requests(2))
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    (error,) = world.results().errors
    assert "No such model." in error["response"]["body"]["error"]["message"]


def test_a_fallback_that_is_busy_is_waited_for(simulator: SimulatorClient) -> None:
    busy = {"kind": "status", "status": 429, "retry_after": 700, "match": {"model": SPARES_MODEL}}
    simulator.behave(failing(401), busy)
    world = a_world(simulator, requests(2), concurrency=1)
    assert run(world) == ("run", 700)
    simulator.behave(failing(401))
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 2


def test_a_missing_key_is_no_obstacle_while_a_fallback_has_its_own(
    simulator: SimulatorClient,
) -> None:
    world = a_world(simulator, requests(3))
    opened = world.direct_of

    def direct_of(deployment: Deployment) -> DirectProvider:
        if deployment.name == MODEL:
            raise CredentialMissing("The secret has no key named OPENAI_API_KEY.")
        return opened(deployment)

    world.direct_of = direct_of
    assert run(world) == ("done", 0)
    assert the_chunk(world).completed == 3


@pytest.mark.of("anthropic")
def test_a_fallback_at_another_provider_is_told_in_the_details(simulator: SimulatorClient) -> None:
    simulator.behave(failing(401))
    world = a_world(simulator, requests(3))
    elsewhere = world.deployment(SPARE, provider="anthropic", model=SPARES_MODEL)
    world.groups[SPARE] = [elsewhere]
    world.stores.parts.save(the_chunk(world).changed(fallbacks=[elsewhere]))
    assert run(world) == ("done", 0)
    world.step("FinalizeBatch")
    output = world.check_promises(requests(3)).output
    assert {line["nightmail"]["provider"] for line in output} == {"anthropic"}
    assert {line["response"]["body"]["model"] for line in output} == {SPARE}


def test_every_deployment_keeps_its_own_limits(simulator: SimulatorClient) -> None:
    simulator.behave(failing(500, match={"text": "Q1?"}))
    world = a_world(simulator, requests(2), limits={"num_retries": 0, "rpm": 6000})
    (spare,) = world.groups[SPARE]
    limited = spare.model_copy(update={"max_parallel_requests": 2})
    world.stores.parts.save(the_chunk(world).changed(fallbacks=[limited]))
    assert run(world) == ("done", 0)
    own, others = (
        world.quotas.get(quota_key(each)) for each in (the_chunk(world).deployment, limited)
    )
    assert own.requests_until > 0
    assert others.requests_until > 0
    assert own.key != others.key


@pytest.mark.parametrize("concurrency", [1, 10])
def test_workers_stop_in_the_midst_of_falling_back_and_nothing_is_paid_twice(
    simulator: SimulatorClient, concurrency: int
) -> None:
    simulator.behave(failing(500, match={"text": "[[fall]]"}))
    lines = [request(n, f"{n} [[fall]]" if n % 2 else "") for n in range(1, 11)]
    world = a_world(simulator, lines, concurrency=concurrency, limits={"num_retries": 0})
    world.lines_a_run = 2
    assert run(world) == ("done", 0)
    world.lines_a_run = 0
    world.step("FinalizeBatch")
    output = world.check_promises(lines).output
    answered_by = [line["response"]["body"]["model"] for line in output]
    assert answered_by == [SPARE, MODEL] * 5
