"""Which way a model's lines go, and how they are cut for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.batch import Batch
from nightmail.deployment import Deployment, Lane
from nightmail.errors import NotFound
from nightmail.providers.base import Limits
from nightmail.providers.openai.provider import OpenAIProvider
from nightmail.steps.lanes import Lanes

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.samples import BATCH_ID, NOW, sample_batch
from tests.unit.world import World, as_jsonl, request, requests

NOBODY = SimulatorClient("http://127.0.0.1:9")
HOUR = 3600


def deployment(provider: str = "openai", lane: Lane = "auto", **more: Any) -> Deployment:
    return Deployment(name="gpt", provider=provider, model="m", lane=lane, **more)


def chosen(batch: Batch, *deployments: Deployment) -> tuple[str, str]:
    lanes = Lanes(batch, World(NOBODY).provider_of, chunk_lines=1000)
    found = lanes.choose("gpt", deployments)
    return found.provider, found.lane


# ---- The choice


@pytest.mark.parametrize(
    ("provider", "wanted", "taken"),
    [
        ("openai", "auto", "auto"),
        ("openai", "native", "native"),
        ("openai", "direct", "direct"),
        ("anthropic", "direct", "direct"),
        ("cohere", "auto", "direct"),
        ("groq", "auto", "direct"),
    ],
)
def test_a_deployment_takes_the_lane_that_it_wants_and_its_provider_has(
    provider: str, wanted: Lane, taken: str
) -> None:
    assert chosen(sample_batch(), deployment(provider, wanted)) == (provider, taken)


@pytest.mark.parametrize("provider", ["groq", "cohere"])
def test_a_native_lane_that_the_provider_has_not_is_nobodys(provider: str) -> None:
    with pytest.raises(NotFound, match=provider):
        chosen(sample_batch(), deployment(provider, "native"))


def test_a_provider_without_any_lane_is_named() -> None:
    with pytest.raises(NotFound, match="elsewhere"):
        chosen(sample_batch(), deployment("elsewhere"))


def test_a_batch_may_force_the_direct_lane() -> None:
    assert chosen(sample_batch(lane="direct"), deployment(lane="native")) == ("openai", "direct")


def test_a_window_shorter_than_the_providers_goes_directly() -> None:
    short = sample_batch(expires_at=NOW + 23 * HOUR)
    assert chosen(short, deployment()) == ("openai", "direct")
    assert chosen(short, deployment(lane="native")) == ("openai", "native")
    assert chosen(sample_batch(expires_at=NOW + 24 * HOUR), deployment()) == ("openai", "auto")


def test_of_several_deployments_the_first_with_a_native_lane_is_chosen() -> None:
    groq, direct, native = deployment("groq"), deployment(lane="direct"), deployment()
    assert chosen(sample_batch(), groq, direct, native) == ("openai", "auto")
    assert chosen(sample_batch(), groq, direct) == ("groq", "direct")


# ---- The cut


def plan(world: World, lines: list[Json] | bytes, **changes: Any) -> Json:
    world.create(lines, **changes)
    while (step := world.step("PlanBatch"))["next"] == "more":
        pass
    return step


@pytest.mark.parametrize("lines_a_run", [0, 1, 3])
def test_chunks_are_cut_by_lines_and_name_their_bytes(lines_a_run: int) -> None:
    world = World(NOBODY, lane="direct", chunk_lines=4, lines_a_run=lines_a_run)
    content = b"\n" + as_jsonl(requests(4)) + b"\n\n" + as_jsonl([request(n) for n in range(5, 10)])
    step = plan(world, content)
    assert (step["next"], step["shards"], step["chunks"]) == ("parts", 0, 3)
    assert [(chunk.number, chunk.lines, chunk.first) for chunk in world.chunks] == [
        (1, 4, 2),
        (2, 4, 8),
        (3, 1, 12),
    ]
    for chunk in world.chunks:
        lines = content[chunk.start : chunk.end].splitlines()
        assert len([line for line in lines if line]) == chunk.lines
    assert b"".join(content[chunk.start : chunk.end] for chunk in world.chunks).count(b"{") > 9
    items = world.stores.objects.get(f"work/{BATCH_ID}/chunks.jsonl").splitlines()
    assert [json.loads(item) for item in items] == [{"chunk": 1}, {"chunk": 2}, {"chunk": 3}]
    assert world.batch.chunks == 3
    assert world.batch.shards == 0


def test_chunks_are_cut_by_bytes_too() -> None:
    world = World(NOBODY, lane="direct")
    plan(world, [request(number, "x" * 1_500_000) for number in range(1, 6)])
    assert [chunk.lines for chunk in world.chunks] == [2, 2, 1]


def test_a_chunk_copies_nothing_of_the_input() -> None:
    world = World(NOBODY, lane="direct")
    plan(world, requests(3))
    objects = {each.key for each in world.stores.objects.segments(f"work/{BATCH_ID}/parts/")}
    assert objects == {segment.key for segment in world.chunks[0].index}


def test_twenty_thousand_lines_make_twenty_items_of_little_size() -> None:
    world = World(NOBODY, lane="direct")
    plan(world, as_jsonl(requests(20_000)))
    assert len(world.chunks) == 20
    assert max(len(chunk.model_dump_json()) for chunk in world.chunks) < 2000


@pytest.mark.parametrize("lines_a_run", [0, 2])
def test_fewer_lines_than_the_provider_takes_go_directly(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, lines_a_run: int
) -> None:
    limits = Limits(lines=4, bytes=10_000, minimum_lines=3)
    monkeypatch.setattr(OpenAIProvider, "limits", limits)
    world = World(simulator, lines_a_run=lines_a_run)
    world.create(requests(10))
    world.run()
    assert [shard.lines for shard in world.shards] == [4, 4]
    assert [(chunk.lines, chunk.first) for chunk in world.chunks] == [(2, 9)]
    assert len(world.check_promises(requests(10)).output) == 10
    assert {"RunShards", "RunChunks"} <= set(world.machine.visited)


def test_a_deployment_that_wants_its_native_lane_gets_it_for_few_lines_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OpenAIProvider, "limits", Limits(lines=4, bytes=10_000, minimum_lines=3))
    world = World(NOBODY, lane="native")
    step = plan(world, requests(2))
    assert (step["shards"], step["chunks"]) == (1, 0)


def test_a_lane_without_parts_is_passed_over(simulator: SimulatorClient) -> None:
    native, direct = World(simulator), World(simulator, lane="direct")
    for world in (native, direct):
        world.create(requests(1))
        world.run()
    assert "RunChunks" not in native.machine.visited
    assert "RunShards" not in direct.machine.visited
    assert native.machine.visited[-1] == direct.machine.visited[-1] == "BatchEnded"
