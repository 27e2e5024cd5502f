"""A dry run is planned like any batch, and tells what it would cost; nothing is made known or sent."""

from __future__ import annotations

import re
from decimal import Decimal

import orjson
import pytest
from nightmail.batch import BatchStatus
from nightmail.cost import Cost
from nightmail.estimate import Estimate, EstimatedWay
from nightmail.payloads import Next
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.planning import A_TOKEN, WORK, Planning, a_line, as_jsonl, deployment
from tests.unit.samples import NOW

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
ALL = [
    deployment("gpt"),
    deployment("claude", "anthropic"),
    deployment("llama", "perplexity"),
    deployment("priceless", "perplexity"),
]


def said(text: str, **more: object) -> Json:
    return {"messages": [{"role": "user", "content": text}], **more}


def estimated(lines: list[Json], lines_a_run: int = 0) -> Estimate:
    planning = Planning(ALL, lines_a_run=lines_a_run)
    estimate = planning.plan(lines, dry_run=True).estimate
    assert estimate
    return estimate


def kept(planning: Planning) -> list[str]:
    """The names of what lies in the bucket beside the file."""
    folder = f"{WORK}/"
    return [each.key.removeprefix(folder) for each in planning.stores.objects.segments(folder)]


def json_bytes(value: object) -> int:
    return len(orjson.dumps(value))


def way(lines: list[Json]) -> EstimatedWay:
    """The only one."""
    (found,) = estimated(lines).ways
    return found


@pytest.mark.of("perplexity")
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


@pytest.mark.of("perplexity")
@pytest.mark.parametrize("content", [b"", b"no json\n"], ids=["good", "bad"])
def test_a_dry_run_keeps_no_more_than_how_far_it_has_come_and_in_the_end_nothing(
    content: bytes,
) -> None:
    planning = Planning(ALL, lines_a_run=1)
    lines = [a_line(1, CHAT, "gpt"), a_line(2, CHAT, "llama"), a_line(3, EMBEDDINGS, "claude")]
    planning.create(as_jsonl(lines) + content, dry_run=True)
    while planning.step().next is Next.MORE:
        assert kept(planning)
        assert all(re.fullmatch(r"plan\.(json|\d+\.ids)", name) for name in kept(planning))
    assert kept(planning) == []


@pytest.mark.of("perplexity")
def test_a_dry_run_that_was_killed_at_any_call_leaves_nothing() -> None:
    lines = [a_line(1, CHAT, "gpt"), a_line(2, CHAT, "llama")]
    for number in range(1, 1000):
        planning = Planning(ALL, lines_a_run=1, fate=Fate(kill_at=number, after=True))
        planning.create(lines, dry_run=True)
        assert planning.run() is Next.DONE
        assert planning.batch.estimate
        assert kept(planning) == []
        if planning.fate.calls < number:
            return
    raise AssertionError("There is no end to the calls.")


def test_a_wrong_file_fails_a_dry_run_too() -> None:
    assert Planning(ALL).refusals(b"no json", dry_run=True) == [("invalid_json_line", 1)]


@pytest.mark.of("perplexity")
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
                provider="perplexity",
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


@pytest.mark.of("perplexity")
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


SCHEMA: Json = {"type": "object", "properties": {"answer": {"type": "string"}}}
TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}


@pytest.mark.of("perplexity")
@pytest.mark.parametrize(
    ("model", "url", "more", "size"),
    [
        ("llama", CHAT, {"tools": [TOOL]}, json_bytes([TOOL])),
        ("llama", CHAT, {"functions": [SCHEMA]}, json_bytes([SCHEMA])),
        (
            "llama",
            CHAT,
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            json_bytes({"type": "json_schema", "json_schema": {"schema": SCHEMA}}),
        ),
        ("llama", CHAT, {"response_format": {"type": "json_object"}}, 0),
        (
            "gpt",
            "/v1/responses",
            {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            json_bytes({"type": "json_schema", "schema": SCHEMA}),
        ),
        ("gpt", "/v1/responses", {"text": {"verbosity": "low"}}, 0),
        ("gpt", "/v1/responses", {"text": "wrong"}, 0),
    ],
)
def test_tools_and_the_schema_of_an_answer_count_by_their_bytes(
    model: str, url: str, more: Json, size: int
) -> None:
    prompt = (
        {"messages": [{"role": "user", "content": "xxxx"}]} if url == CHAT else {"input": "xxxx"}
    )
    found = way([a_line(1, url, model, **prompt, **more)])
    assert found.input_tokens == 1 + -(-size // 4)


@pytest.mark.of("perplexity")
def test_calls_of_tools_in_a_conversation_count() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "x" * 8}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert way([a_line(1, CHAT, "llama", messages=[asked])]).input_tokens == 2
    answered = {"type": "function_call_output", "call_id": "1", "output": "x" * 8}
    assert way([a_line(1, "/v1/responses", "gpt", input=[answered])]).input_tokens == 2


@pytest.mark.parametrize("lines_a_run", [0, 1])
def test_lines_with_images_or_files_are_warned_of(lines_a_run: int) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ]
    given = [{"type": "input_image", "image_url": ""}, {"type": "input_file", "file_id": "1"}]
    lines = [
        a_line(1, CHAT, "gpt", max_tokens=1),
        *(
            a_line(number, CHAT, "gpt", messages=[{"role": "user", "content": [part, part]}], n=1)
            | {"custom_id": f"part-{number}"}
            for number, part in enumerate(parts)
        ),
        *(
            a_line(number, "/v1/responses", "gpt", input=[{"role": "user", "content": [part]}])
            | {"custom_id": f"given-{number}"}
            for number, part in enumerate(given)
        ),
    ]
    warnings = estimated(lines, lines_a_run).warnings
    assert "5 lines have images or files, whose tokens are not estimated." in warnings
    assert not any("images" in each for each in estimated(lines[:1]).warnings)


@pytest.mark.parametrize(
    ("given", "tokens"), [("x" * 8, 2), (["x" * 8, "x" * 8], 4), ([1, 2, 3], 3), ([[1, 2], [3]], 3)]
)
def test_an_input_counts_by_its_bytes_or_its_tokens(given: object, tokens: int) -> None:
    found = way([a_line(1, EMBEDDINGS, "gpt", input=given)])
    assert (found.input_tokens, found.output_tokens, found.unlimited) == (tokens, 0, 0)


@pytest.mark.of("perplexity")
def test_choices_multiply_what_an_answer_may_have() -> None:
    assert way([a_line(1, CHAT, "llama", max_tokens=5, n=1)]).output_tokens == 5
    assert way([a_line(1, CHAT, "gpt", max_tokens=5, n=3)]).output_tokens == 15


def test_a_default_of_the_deployment_is_a_limit_too() -> None:
    planning = Planning([deployment(defaults={"max_tokens": 8})])
    estimate = planning.plan([a_line(1)], dry_run=True).estimate
    assert estimate
    assert (estimate.ways[0].output_tokens, estimate.ways[0].unlimited) == (8, 0)


@pytest.mark.of("perplexity")
def test_lines_without_a_limit_are_warned_of() -> None:
    estimate = estimated([a_line(1, CHAT, "llama"), a_line(2, CHAT, "llama", max_tokens=3)])
    assert estimate.ways[0].unlimited == 1
    (warning,) = estimate.warnings
    assert "1 " in warning
    assert "'llama'" in warning


@pytest.mark.of("perplexity")
def test_a_price_that_nobody_knows_is_null_and_named() -> None:
    estimate = estimated([a_line(1, CHAT, "priceless", max_tokens=3)])
    assert estimate.ways[0].cost.amount is None
    (warning,) = estimate.warnings
    assert "No price" in warning
    assert "'priceless'" in warning


@pytest.mark.of("anthropic")
def test_refused_lines_are_counted_with_their_reason_and_cost_nothing() -> None:
    lines = [a_line(number, EMBEDDINGS, "claude") for number in range(3)]
    estimate = estimated(lines)
    assert (estimate.lines, estimate.refused, estimate.ways) == (3, 3, [])
    (warning,) = estimate.warnings
    assert warning.startswith("3 requests")
    assert "/v1/embeddings" in warning


@pytest.mark.of("anthropic")
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


@pytest.mark.parametrize(("lane", "is_warned"), [("native", True), ("auto", False)])
def test_a_batch_that_its_provider_would_refuse_for_its_few_lines_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, lane: str, is_warned: bool
) -> None:
    monkeypatch.setattr(OpenAIFormat, "limits", Limits(lines=9, bytes=10_000, minimum_lines=3))
    planning = Planning([deployment("gpt", lane=lane)])
    lines = [a_line(number, CHAT, "gpt", **said("Hi", max_tokens=1)) for number in range(2)]
    estimate = planning.plan(lines, dry_run=True).estimate
    assert estimate
    warning = "2 requests for the model 'gpt' would fail: a batch of openai's has 3 at least."
    assert [each.startswith(warning) for each in estimate.warnings] == [True] * is_warned
