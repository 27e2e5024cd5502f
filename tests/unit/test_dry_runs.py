"""A dry run is planned like any batch, and tells what it would cost; nothing is made known or sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from nightmail.batch import BatchStatus
from nightmail.cost import Cost
from nightmail.estimate import Estimate, EstimatedWay
from nightmail.payloads import Next
from nightmail.providers.base import Limits
from nightmail.providers.openai.batch_format import OpenAIFormat

from tests.unit.machine import Json
from tests.unit.planning import A_TOKEN, WORK, Planning, a_line, deployment
from tests.unit.samples import NOW

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
ALL = [
    deployment("gpt"),
    deployment("claude", "anthropic"),
    deployment("llama", "groq"),
    deployment("priceless", "groq"),
]


def said(text: str, **more: object) -> Json:
    return {"messages": [{"role": "user", "content": text}], **more}


def estimated(lines: list[Json], lines_a_run: int = 0) -> Estimate:
    planning = Planning(ALL, lines_a_run=lines_a_run)
    estimate = planning.plan(lines, dry_run=True).estimate
    assert estimate
    return estimate


def way(lines: list[Json]) -> EstimatedWay:
    """The only one."""
    (found,) = estimated(lines).ways
    return found


def test_a_dry_run_ends_completed_and_leaves_nothing_to_run() -> None:
    planning = Planning(ALL)
    planning.create([a_line(1, CHAT, "gpt"), a_line(2, CHAT, "llama")], dry_run=True)
    assert planning.run() is Next.DONE
    batch = planning.batch
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.completed_at, batch.shards, batch.chunks) == (NOW, 0, 0)
    assert (batch.counts.total, batch.counts.completed, batch.counts.failed) == (2, 0, 0)
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert planning.parts == []
    assert not list(planning.stores.objects.segments(f"{WORK}/shards.jsonl"))
    assert planning.run() is Next.DONE


def test_a_wrong_file_fails_a_dry_run_too() -> None:
    assert Planning(ALL).refusals(b"no json", dry_run=True) == [("invalid_json_line", 1)]


@pytest.mark.parametrize("lines_a_run", [0, 1, 3])
def test_an_estimate_tells_each_way_its_lines_tokens_and_price(lines_a_run: int) -> None:
    gpt = [a_line(number, CHAT, "gpt", **said("x" * 40, max_tokens=5)) for number in range(2)]
    llama = a_line(9, CHAT, "llama", **said("x" * 41, max_completion_tokens=7))
    estimate = estimated([gpt[0], llama, gpt[1]], lines_a_run)
    assert estimate == Estimate(
        lines=3,
        shards=1,
        chunks=1,
        ways=[
            EstimatedWay(
                model="gpt",
                provider="openai",
                provider_model="gpt-upstream",
                endpoint=CHAT,
                lane="native",
                lines=2,
                parts=1,
                input_tokens=20,
                output_tokens=10,
                cost=Cost(amount=15 * A_TOKEN, synchronous=30 * A_TOKEN),
            ),
            EstimatedWay(
                model="llama",
                provider="groq",
                provider_model="llama-upstream",
                endpoint=CHAT,
                lane="direct",
                lines=1,
                parts=1,
                input_tokens=11,
                output_tokens=7,
                cost=Cost(amount=18 * A_TOKEN, synchronous=18 * A_TOKEN),
            ),
        ],
    )


def test_what_becomes_a_chunk_after_all_is_priced_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(lines=2, bytes=10_000, minimum_lines=2)
    monkeypatch.setattr(OpenAIFormat, "limits", limits)
    lines = [a_line(number, CHAT, "gpt", **said("x" * 4, max_tokens=0)) for number in range(3)]
    estimate = estimated(lines)
    assert [(each.lane, each.lines, each.cost.amount) for each in estimate.ways] == [
        ("direct", 1, A_TOKEN),
        ("native", 2, A_TOKEN),
    ]
    assert (estimate.shards, estimate.chunks) == (1, 1)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (said("x" * 9), 3),
        (said("🦉🦉"), 2),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 8}]}]}, 2),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "data:" + "x" * 9999}},
                            {"type": "text", "text": "x" * 8},
                        ],
                    }
                ]
            },
            2,
        ),
    ],
)
def test_a_prompt_counts_by_the_bytes_of_its_text(body: Json, tokens: int) -> None:
    assert way([a_line(1, CHAT, "llama", **body)]).input_tokens == tokens


@pytest.mark.parametrize(
    ("given", "tokens"), [("x" * 8, 2), (["x" * 8, "x" * 8], 4), ([1, 2, 3], 3), ([[1, 2], [3]], 3)]
)
def test_an_input_counts_by_its_bytes_or_its_tokens(given: object, tokens: int) -> None:
    found = way([a_line(1, EMBEDDINGS, "gpt", input=given)])
    assert (found.input_tokens, found.output_tokens, found.unlimited) == (tokens, 0, 0)


def test_choices_multiply_what_an_answer_may_have() -> None:
    assert way([a_line(1, CHAT, "llama", max_tokens=5, n=1)]).output_tokens == 5
    assert way([a_line(1, CHAT, "gpt", max_tokens=5, n=3)]).output_tokens == 15


def test_a_default_of_the_deployment_is_a_limit_too() -> None:
    planning = Planning([deployment(defaults={"max_tokens": 8})])
    estimate = planning.plan([a_line(1)], dry_run=True).estimate
    assert estimate
    assert (estimate.ways[0].output_tokens, estimate.ways[0].unlimited) == (8, 0)


def test_lines_without_a_limit_are_warned_of() -> None:
    estimate = estimated([a_line(1, CHAT, "llama"), a_line(2, CHAT, "llama", max_tokens=3)])
    assert estimate.ways[0].unlimited == 1
    (warning,) = estimate.warnings
    assert "1 " in warning
    assert "'llama'" in warning


def test_a_price_that_nobody_knows_is_null_and_named() -> None:
    estimate = estimated([a_line(1, CHAT, "priceless", max_tokens=3)])
    assert estimate.ways[0].cost.amount is None
    (warning,) = estimate.warnings
    assert "No price" in warning
    assert "'priceless'" in warning


def test_refused_lines_are_counted_with_their_reason_and_cost_nothing() -> None:
    lines = [a_line(number, EMBEDDINGS, "claude") for number in range(3)]
    estimate = estimated(lines)
    assert (estimate.lines, estimate.refused, estimate.ways) == (3, 3, [])
    (warning,) = estimate.warnings
    assert warning.startswith("3 requests")
    assert "/v1/embeddings" in warning


def test_every_reason_is_bounded_in_number() -> None:
    lines = [
        a_line(number, CHAT, "claude", max_tokens=1, response_format={"type": f"odd-{number}"})
        for number in range(50)
    ]
    estimate = estimated(lines)
    assert estimate.refused == 50
    assert len(estimate.warnings) == 20


def test_the_sum_of_an_estimate_is_exact() -> None:
    lines = [a_line(number, CHAT, "gpt", **said("x" * 4, max_tokens=0)) for number in range(1000)]
    assert estimated(lines).ways[0].cost.amount == Decimal("0.5")
