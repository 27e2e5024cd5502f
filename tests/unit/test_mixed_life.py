"""Mixed files live whole lives: several providers, both lanes, lines that nobody takes, one output."""

from __future__ import annotations

import json

import pytest
from nightmail.batch import BatchStatus

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.world import World, request

pytestmark = pytest.mark.of("anthropic", "perplexity")
MODELS = ("gpt", "claude", "llama", "pair")
LINES = 24


def mixed_world(simulator: SimulatorClient, **more: int) -> World:
    """`gpt` and `claude` go natively, `llama` directly, `pair` to either of two."""
    world = World(simulator, **more)  # type: ignore[arg-type]
    world.groups = {
        "gpt": [world.deployment("gpt")],
        "claude": [world.deployment("claude", provider="anthropic")],
        "llama": [world.deployment("llama", provider="perplexity")],
        "pair": [
            world.deployment("pair", provider="perplexity"),
            world.deployment("pair", provider="deepseek"),
        ],
    }
    return world


def line(number: int, model: str) -> Json:
    asked = request(number, custom_id=f'"🦉" \\ {number}')
    return {**asked, "body": {**asked["body"], "model": model, "max_tokens": 50}}


def mixed(count: int = LINES) -> list[Json]:
    return [line(number, MODELS[number % len(MODELS)]) for number in range(count)]


@pytest.mark.parametrize("lines_a_run", [0, 5])
def test_a_mixed_file_comes_back_complete_in_order_and_paid_once(
    simulator: SimulatorClient, lines_a_run: int
) -> None:
    world = mixed_world(simulator, lines_a_run=lines_a_run, chunk_lines=4)
    world.create(mixed())
    assert world.run().state == "BatchEnded"
    results = world.check_promises(mixed())
    assert world.batch.status is BatchStatus.COMPLETED
    assert [each["custom_id"] for each in results.output] == [each["custom_id"] for each in mixed()]
    assert {
        (each["nightmail"]["provider"], each["nightmail"]["lane"]) for each in results.output
    } == {
        ("openai", "native"),
        ("anthropic", "native"),
        ("deepseek", "direct"),
        ("perplexity", "direct"),
    }
    assert {"RunShards", "RunChunks"} <= set(world.machine.visited)


LOST_ANSWERS = [
    {"kind": "drop", "when": "after", "times": 1, "match": lane.create}
    for lane in NATIVE_LANES.values()
]
ODD_RESULTS: list[Json] = [{"kind": "duplicated", "lines": 2}, {"kind": "garbage"}]


@pytest.mark.parametrize("faults", [[], LOST_ANSWERS, ODD_RESULTS], ids=["good", "lost", "odd"])
def test_all_native_providers_run_one_file_at_once(
    simulator: SimulatorClient, faults: list[Json]
) -> None:
    world = World(simulator)
    world.groups = {name: [world.deployment(name, provider=name)] for name in NATIVE_LANES}
    lines = [line(number, name) for number, name in enumerate([*NATIVE_LANES] * 12)]
    simulator.behave(*faults)
    world.create(lines)
    assert world.run().state == "BatchEnded"
    results = world.check_promises(lines)
    assert [each["custom_id"] for each in results.output] == [each["custom_id"] for each in lines]
    assert {
        (each["nightmail"]["provider"], each["nightmail"]["lane"]) for each in results.output
    } == {(name, "native") for name in NATIVE_LANES}


def test_a_line_that_nobody_takes_is_an_error_among_its_neighbours_answers(
    simulator: SimulatorClient,
) -> None:
    lines = mixed()
    body = {"model": "claude", "input": "Text"}
    lines[5] = {**lines[5], "url": "/v1/embeddings", "body": body}
    world = mixed_world(simulator)
    world.create(lines)
    world.run()
    results = world.check_promises(lines)
    (refused,) = results.errors
    assert refused["custom_id"] == lines[5]["custom_id"]
    assert refused["response"]["body"]["error"]["code"] == "unsupported_endpoint"
    assert "/v1/embeddings" in refused["response"]["body"]["error"]["message"]
    assert len(results.output) == LINES - 1


def test_a_file_that_nobody_takes_completes_with_errors_alone(simulator: SimulatorClient) -> None:
    body = {"model": "claude", "input": "Text"}
    lines = [{**each, "url": "/v1/embeddings", "body": body} for each in mixed(3)]
    world = mixed_world(simulator)
    world.create(lines)
    assert world.run().state == "BatchEnded"
    assert len(world.check_promises(lines).errors) == 3
    assert world.batch.status is BatchStatus.COMPLETED
    assert not {"RunShards", "RunChunks"} & set(world.machine.visited)
    assert simulator.calls() == []


def test_a_dry_run_sends_nothing(simulator: SimulatorClient) -> None:
    world = mixed_world(simulator)
    world.create(mixed(), dry_run=True)
    assert world.run().state == "BatchEnded"
    assert world.batch.status is BatchStatus.COMPLETED
    assert world.batch.estimate
    assert world.batch.estimate.lines == LINES
    assert simulator.calls() == []


def test_a_lane_without_parts_is_passed_over(simulator: SimulatorClient) -> None:
    for model, lane, other in (
        ("gpt", "RunShards", "RunChunks"),
        ("llama", "RunChunks", "RunShards"),
    ):
        world = mixed_world(simulator)
        world.create([line(1, model)])
        world.run()
        assert lane in world.machine.visited
        assert other not in world.machine.visited
        assert world.machine.visited[-1] == "BatchEnded"


def test_custom_ids_are_the_callers_byte_for_byte(simulator: SimulatorClient) -> None:
    lines = mixed(4)
    names = ["a" * 500, "\u0000", "é\u2028😀", '{"id": 1}']
    for each, name in zip(lines, names, strict=True):
        each["custom_id"] = name
    world = mixed_world(simulator)
    world.create(lines)
    world.run()
    raw, _ = world.results().raw
    assert [json.loads(each)["custom_id"] for each in raw.splitlines()] == names
