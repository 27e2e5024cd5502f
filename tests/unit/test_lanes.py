"""Which lane a deployment's lines take, and how they are cut for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.deployment import Deployment, Lane
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat
from nightmail.providers.registry import open_format
from nightmail.steps.lanes import Lanes

from tests.unit.machine import Json
from tests.unit.planning import WORK, Planning, a_line, as_jsonl, deployment
from tests.unit.samples import NOW, sample_batch

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
HOUR = 3600


def lane_of(asked: Deployment, endpoint: str = CHAT, **batch: Any) -> str | None:
    lanes = Lanes(sample_batch(**batch), open_format, chunk_lines=1000)
    return lanes.lane_of(lanes.wanted(asked), endpoint)


def lines_of(count: int) -> list[Json]:
    return [a_line(number) for number in range(1, count + 1)]


# ---- The choice


@pytest.mark.parametrize(
    ("provider", "wanted", "taken"),
    [
        ("openai", "auto", "native"),
        ("openai", "native", "native"),
        ("openai", "direct", "direct"),
        ("anthropic", "auto", "native"),
        ("anthropic", "direct", "direct"),
        ("cohere", "auto", "direct"),
        ("groq", "auto", "native"),
        ("deepseek", "auto", "direct"),
        ("deepseek", "native", "native"),
        ("cohere", "native", None),
        ("elsewhere", "auto", None),
    ],
)
def test_a_deployment_takes_the_cheapest_lane_that_it_wants_and_its_provider_has(
    provider: str, wanted: Lane, taken: str | None
) -> None:
    assert lane_of(deployment(provider=provider, lane=wanted)) == taken


@pytest.mark.parametrize(
    ("provider", "endpoint", "taken"),
    [
        ("openai", EMBEDDINGS, "native"),
        ("openai", "/v1/moderations", "native"),
        ("anthropic", EMBEDDINGS, None),
        ("cohere", EMBEDDINGS, "direct"),
        ("cohere", "/v1/responses", None),
        ("vllm", "/v1/responses", "direct"),
        ("vllm", "/v1/moderations", None),
    ],
)
def test_a_lane_has_the_endpoints_of_its_provider(
    provider: str, endpoint: str, taken: str | None
) -> None:
    assert lane_of(deployment(provider=provider), endpoint) == taken


def test_a_batch_may_force_the_direct_lane() -> None:
    assert lane_of(deployment(lane="native"), lane="direct") == "direct"


def test_a_window_shorter_than_the_providers_goes_directly() -> None:
    short = NOW + 23 * HOUR
    assert lane_of(deployment(), expires_at=short) == "direct"
    assert lane_of(deployment(lane="native"), expires_at=short) == "native"
    assert lane_of(deployment(), expires_at=NOW + 24 * HOUR) == "native"


def test_what_is_finished_directly_at_the_end_may_begin_natively_in_any_window() -> None:
    short = NOW + HOUR
    assert lane_of(deployment(), expires_at=short, on_deadline="finish_direct") == "native"


@pytest.mark.of("openrouter")
def test_what_cannot_be_stopped_begins_natively_only_where_its_window_fits() -> None:
    asked, wish = deployment(provider="openrouter"), {"on_deadline": "finish_direct"}
    assert lane_of(asked, expires_at=NOW + 23 * HOUR, **wish) == "direct"
    assert lane_of(asked, expires_at=NOW + 24 * HOUR, **wish) == "native"


# ---- The cut


@pytest.mark.parametrize("lines_a_run", [0, 1, 3])
def test_chunks_are_cut_by_lines_and_name_their_bytes(lines_a_run: int) -> None:
    planning = Planning([deployment(lane="direct")], lines_a_run=lines_a_run, chunk_lines=4)
    more = as_jsonl([a_line(number) for number in range(5, 10)])
    content = b"\n" + as_jsonl(lines_of(4)) + b"\n\n" + more
    planning.plan(content)
    assert [(chunk.number, chunk.lines, chunk.first) for chunk in planning.chunks] == [
        (1, 4, 2),
        (2, 4, 8),
        (3, 1, 12),
    ]
    for chunk in planning.chunks:
        for row in planning.index(chunk):
            assert json.loads(content[row.start : row.end])["custom_id"] == json.loads(
                row.custom_id
            )
    assert planning.items("chunk") == [1, 2, 3]
    assert (planning.batch.shards, planning.batch.chunks) == (0, 3)


def test_chunks_are_cut_by_bytes_too() -> None:
    planning = Planning([deployment(lane="direct")])
    planning.plan([a_line(number, user="x" * 1_500_000) for number in range(1, 6)])
    assert [chunk.lines for chunk in planning.chunks] == [2, 2, 1]


def test_a_chunk_copies_nothing_of_the_input() -> None:
    planning = Planning([deployment(lane="direct")])
    planning.plan(lines_of(3))
    objects = {each.key for each in planning.stores.objects.segments(f"{WORK}/parts/")}
    assert objects == {segment.key for segment in planning.chunks[0].index}


def test_twenty_thousand_lines_make_twenty_items_of_little_size() -> None:
    planning = Planning([deployment(lane="direct")])
    planning.plan(lines_of(20_000))
    assert len(planning.chunks) == 20
    assert max(len(chunk.model_dump_json()) for chunk in planning.chunks) < 2000


@pytest.mark.parametrize("lines_a_run", [0, 2])
def test_fewer_lines_than_the_provider_takes_go_directly(
    monkeypatch: pytest.MonkeyPatch, lines_a_run: int
) -> None:
    limits = Limits(lines=4, bytes=10_000, minimum_lines=3)
    monkeypatch.setattr(OpenAIFormat, "limits", limits)
    planning = Planning(lines_a_run=lines_a_run)
    planning.plan(lines_of(10))
    assert [shard.lines for shard in planning.shards] == [4, 4]
    assert [(chunk.lines, chunk.first) for chunk in planning.chunks] == [(2, 9)]


def test_a_deployment_that_wants_its_native_lane_gets_it_for_few_lines_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = Limits(lines=4, bytes=10_000, minimum_lines=3)
    monkeypatch.setattr(OpenAIFormat, "limits", limits)
    planning = Planning([deployment(lane="native")])
    planning.plan(lines_of(2))
    assert [part.kind for part in planning.parts] == ["shard"]
