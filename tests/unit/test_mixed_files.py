"""One file with any mix of models, providers and endpoints: what is cut apart comes together again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.chunk import ChunkState
from nightmail.outcome import Kind, kind_of, number_of
from nightmail.part import Part
from nightmail.payloads import Next
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat
from nightmail.results.line_outcomes import InOrder, Position
from nightmail.steps import lanes, spools

from tests.unit.fate import Fate
from tests.unit.machine import Json
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.planning import Planning, a_line, as_jsonl, deployment
from tests.unit.samples import NOW

pytestmark = pytest.mark.of("anthropic", "cohere", "perplexity")
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
GPT = deployment("gpt")
CLAUDE = deployment("claude", "anthropic")
COMMAND = deployment("command", "cohere")
LLAMA = deployment("llama", "perplexity")
ALL = [GPT, CLAUDE, COMMAND, LLAMA]
HOUR = 3600


def ways(planning: Planning) -> list[tuple[str, str, str, int]]:
    """Model, endpoint, kind and lines of each part."""
    return [(part.deployment.name, part.endpoint, part.kind, part.lines) for part in planning.parts]


def refused(planning: Planning) -> dict[int, str]:
    """The code of each line that is refused."""
    over = [chunk for chunk in planning.chunks if chunk.is_over]
    rows = [row for chunk in over for row in planning.content(chunk.runs).splitlines(keepends=True)]
    return {
        number_of(row): json.loads(row[15:])["response"]["body"]["error"]["code"] for row in rows
    }


def merged(planning: Planning, parts: Sequence[Part]) -> list[tuple[int, str]]:
    """Number and custom_id of all lines of `parts`, as the result files have them."""
    lines = InOrder(parts, [Position() for _ in parts], planning.stores.objects)
    return [(line.number, json.loads(line.custom_id)) for line in lines]


# ---- Ways


def test_every_line_goes_the_way_of_its_model_and_endpoint() -> None:
    planning = Planning(ALL)
    planning.plan(
        [
            a_line(1, CHAT, "gpt"),
            a_line(2, CHAT, "claude", max_tokens=9),
            a_line(3, EMBEDDINGS, "gpt"),
            a_line(4, EMBEDDINGS, "command"),
            a_line(5, CHAT, "gpt"),
            a_line(6, CHAT, "llama"),
        ]
    )
    assert ways(planning) == [
        ("gpt", CHAT, "shard", 2),
        ("claude", CHAT, "shard", 1),
        ("gpt", EMBEDDINGS, "shard", 1),
        ("command", EMBEDDINGS, "chunk", 1),
        ("llama", CHAT, "chunk", 1),
    ]
    assert [row.number for row in planning.index(planning.shards[0])] == [1, 5]
    assert (planning.batch.model, planning.batch.counts.total) == (None, 6)
    assert (planning.items("shard"), planning.items("chunk")) == ([1, 2, 3], [1, 2])


@pytest.mark.parametrize("url", ["/v1/completions", "/v1/responses", "/v1/moderations"])
def test_any_endpoint_of_a_batch_may_stand_in_a_file(url: str) -> None:
    planning = Planning()
    planning.plan([a_line(1), a_line(2, url)])
    assert [part.endpoint for part in planning.parts] == [CHAT, url]


def test_another_url_is_no_line_of_a_batch() -> None:
    planning = Planning()
    assert planning.refusals([a_line(1), a_line(2, "/v1/files")]) == [("invalid_url", 2)]


def test_a_short_window_sends_the_native_lines_directly() -> None:
    planning = Planning(ALL)
    lines = [a_line(1, CHAT, "gpt"), a_line(2, CHAT, "claude")]
    planning.plan(lines, expires_at=NOW + HOUR)
    assert [part.kind for part in planning.parts] == ["chunk", "chunk"]


def test_more_models_than_a_batch_has_ways_for_are_refused() -> None:
    planning = Planning([deployment(f"model-{number}", "perplexity") for number in range(101)])
    lines = [a_line(number, CHAT, f"model-{number}") for number in range(101)]
    assert planning.refusals(lines) == [("too_many_models", None)]


def test_as_many_models_as_a_batch_has_ways_for_are_taken() -> None:
    planning = Planning([deployment(f"model-{number}", "perplexity") for number in range(100)])
    planning.plan([a_line(number, CHAT, f"model-{number}") for number in range(100)])
    assert len(planning.chunks) == 100


# ---- Groups


def test_a_group_is_shared_by_the_weights_of_its_deployments() -> None:
    group = [deployment("m", "perplexity", weight=3), deployment("m", "deepseek", weight=1)]
    planning = Planning(group)
    planning.plan([a_line(number, CHAT, "m") for number in range(8)])
    assert {(part.deployment.provider, part.lines) for part in planning.parts} == {
        ("perplexity", 6),
        ("deepseek", 2),
    }


def test_a_group_is_balanced_over_those_that_have_the_cheapest_lane() -> None:
    planning = Planning(
        [deployment("m", "perplexity"), deployment("m"), deployment("m", "anthropic")]
    )
    planning.plan([a_line(number, CHAT, "m") for number in range(4)])
    assert [(part.kind, part.deployment.provider, part.lines) for part in planning.parts] == [
        ("shard", "openai", 2),
        ("shard", "anthropic", 2),
    ]


def test_an_endpoint_is_balanced_over_those_that_have_it() -> None:
    planning = Planning([deployment("m", "anthropic"), deployment("m", "cohere")])
    planning.plan([a_line(number, EMBEDDINGS, "m") for number in range(3)])
    assert [(part.deployment.provider, part.lines) for part in planning.parts] == [("cohere", 3)]


@pytest.mark.parametrize("lines_a_run", [1, 2, 3])
def test_the_balance_goes_on_where_planning_stopped(lines_a_run: int) -> None:
    group = [deployment("m", "perplexity", weight=2), deployment("m", "deepseek", weight=1)]
    stopped, whole = Planning(group, lines_a_run=lines_a_run), Planning(group)
    for planning in (stopped, whole):
        planning.plan([a_line(number, CHAT, "m") for number in range(1, 7)])
    assert [stopped.index(part) for part in stopped.parts] == [
        whole.index(part) for part in whole.parts
    ]
    assert [part.lines for part in stopped.parts] == [4, 2]


# ---- Turns


def test_the_maps_take_the_parts_of_each_way_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is slow has the first slots no more than anybody else."""
    monkeypatch.setattr(OpenAIFormat, "limits", Limits(lines=2, bytes=10_000))
    perplexity, deepseek = deployment("a", "perplexity"), deployment("b", "deepseek")
    planning = Planning([GPT, deployment("other"), perplexity, deepseek], chunk_lines=1)
    models = ["gpt"] * 7 + ["other"] * 4 + ["a"] * 3 + ["b"] * 2
    planning.plan([a_line(number, CHAT, model) for number, model in enumerate(models)])
    names = {
        (part.kind, part.number): (part.deployment.name, part.first) for part in planning.parts
    }
    assert [names["shard", number] for number in planning.items("shard")] == [
        ("gpt", 1),
        ("other", 8),
        ("gpt", 3),
        ("other", 10),
        ("gpt", 5),
        ("gpt", 7),
    ]
    assert [names["chunk", number] for number in planning.items("chunk")] == [
        ("a", 12),
        ("b", 15),
        ("a", 13),
        ("b", 16),
        ("a", 14),
    ]


# ---- Fallbacks


def test_a_part_knows_whom_to_ask_next_its_group_first_then_the_configs_models() -> None:
    perplexity, deepseek = deployment("m", "perplexity"), deployment("m", "deepseek")
    planning = Planning(
        [perplexity, deepseek, GPT, CLAUDE], fallbacks={"m": ["claude", "none", "gpt"]}
    )
    planning.plan([a_line(1, CHAT, "m"), a_line(2, CHAT, "m")])
    first, second = planning.parts
    assert (first.deployment, first.fallbacks) == (perplexity, [deepseek, CLAUDE, GPT])
    assert (second.deployment, second.fallbacks) == (deepseek, [perplexity, CLAUDE, GPT])


@pytest.mark.parametrize(
    ("siblings", "configured", "taken"), [(11, 3, (5, 3)), (11, 12, (5, 5)), (2, 12, (2, 8))]
)
def test_fallbacks_are_ten_at_most_five_of_them_siblings(
    siblings: int, configured: int, taken: tuple[int, int]
) -> None:
    group = [deployment("m", "perplexity", rpm=number + 1) for number in range(siblings + 1)]
    others = [deployment(f"other-{number}", "perplexity") for number in range(configured)]
    planning = Planning(
        [*group, *others, deployment("m", "elsewhere")],
        fallbacks={"m": [each.name for each in others]},
    )
    planning.plan([a_line(1, CHAT, "m")])
    (part,) = planning.parts
    its_siblings = [each for each in group if each != part.deployment]
    assert part.fallbacks == its_siblings[: taken[0]] + others[: taken[1]]


def test_a_batch_that_goes_directly_falls_back_directly() -> None:
    planning = Planning([GPT, CLAUDE], fallbacks={"gpt": ["claude"]})
    planning.plan([a_line(1, CHAT, "gpt")], lane="direct")
    (part,) = planning.parts
    assert [each.lane for each in (part.deployment, *part.fallbacks)] == ["direct", "direct"]


# ---- Lines that cannot be sent anywhere


def test_an_endpoint_that_the_provider_lacks_is_an_error_of_its_lines_alone() -> None:
    planning = Planning(ALL)
    step_before = [a_line(1, CHAT, "claude"), a_line(2, EMBEDDINGS, "claude")]
    planning.plan([*step_before, a_line(3, CHAT, "llama")])
    assert refused(planning) == {2: "unsupported_endpoint"}
    (chunk,) = [chunk for chunk in planning.chunks if chunk.is_over]
    assert (chunk.state, chunk.lines, chunk.failed, chunk.completed) == (ChunkState.DONE, 1, 1, 0)
    assert chunk.log == chunk.runs
    assert {kind_of(row) for row in planning.content(chunk.runs).splitlines()} == {Kind.REFUSED}
    assert planning.items("chunk") == [
        each.number for each in planning.chunks if each.deployment == LLAMA
    ]
    assert merged(planning, planning.parts) == [(1, "line-1"), (2, "line-2"), (3, "line-3")]


def test_a_parameter_that_the_provider_has_not_is_an_error_of_its_line_alone() -> None:
    planning = Planning(ALL)
    planning.plan([a_line(1, CHAT, "claude"), a_line(2, CHAT, "claude", n=3)])
    assert list(refused(planning)) == [2]
    assert [row.number for row in planning.index(planning.shards[0])] == [1]


def test_a_map_has_items_or_is_passed_over() -> None:
    planning = Planning(ALL)
    planning.create([a_line(1, EMBEDDINGS, "claude")])
    step = planning.step()
    assert (step.next, step.shards, step.chunks) == (Next.PARTS, 0, 0)
    assert (planning.batch.chunks, planning.items("chunk")) == (1, [])
    again = planning.step()
    assert (again.next, again.shards, again.chunks) == (Next.PARTS, 0, 0)


def test_refused_lines_are_cut_into_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_REFUSED", Limits(lines=2, bytes=10_000))
    planning = Planning(ALL)
    planning.plan([a_line(number, EMBEDDINGS, "claude") for number in range(5)])
    assert [chunk.lines for chunk in planning.chunks] == [2, 2, 1]
    assert len(refused(planning)) == 5


# ---- OpenAI's rule


def test_a_strict_batch_has_one_model() -> None:
    planning = Planning(ALL)
    lines = [a_line(1, CHAT, "gpt"), a_line(2, CHAT, "llama"), a_line(3, CHAT, "gpt")]
    assert planning.refusals(lines, strict=True) == [("mismatched_model", 2)]


def test_a_strict_batch_has_one_endpoint() -> None:
    planning = Planning(ALL, strict=True)
    lines = [a_line(1, CHAT, "gpt"), a_line(2, EMBEDDINGS, "gpt")]
    assert planning.refusals(lines) == [("invalid_url", 2)]
    assert "does not match the batch endpoint" in planning.batch.errors[0].message


def test_a_strict_batch_is_taken_where_its_lines_agree() -> None:
    planning = Planning(ALL)
    planning.plan([a_line(1, EMBEDDINGS, "gpt")], strict=True, endpoint=EMBEDDINGS)
    assert ways(planning) == [("gpt", EMBEDDINGS, "shard", 1)]


# ---- Cut and merged


LINES = st.builds(
    a_line,
    st.integers(),
    st.sampled_from([CHAT, EMBEDDINGS, "/v1/moderations"]),
    st.sampled_from([each.name for each in ALL]),
    n=st.sampled_from([None, 2]),
)
CUSTOM_IDS = st.text(min_size=1, max_size=9)
BLANKS = st.sampled_from([b"", b"\n", b" \r\n"])


@contextmanager
def small_pieces() -> Iterator[None]:
    """What a big file meets, a file of a few lines meets as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spools, "SEGMENT_BYTES", 300)
        patch.setattr(spools, "MOST_BYTES", 500)
        for native in NATIVE_LANES.values():
            patch.setattr(native.format, "limits", Limits(lines=3, bytes=700, minimum_lines=2))
        patch.setattr(lanes, "_REFUSED", Limits(lines=2, bytes=10_000))
        yield


def a_file(lines: dict[str, Json], blanks: Sequence[bytes]) -> bytes:
    named = [{**line, "custom_id": custom_id} for custom_id, line in lines.items()]
    spaced = zip(named, [*blanks, *[b""] * len(named)], strict=False)
    return b"".join(blank + as_jsonl([line]) for line, blank in spaced)


@given(
    st.dictionaries(CUSTOM_IDS, LINES, min_size=1, max_size=14),
    st.lists(BLANKS, max_size=9),
    st.integers(0, 5),
)
def test_merging_undoes_the_cutting_of_any_file(
    lines: dict[str, Json], blanks: list[bytes], lines_a_run: int
) -> None:
    planning = Planning(ALL, lines_a_run=lines_a_run)
    content = a_file(lines, blanks)
    with small_pieces():
        planning.plan(content)

    numbered = [
        (number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()
    ]
    assert merged(planning, planning.parts) == [
        (number, json.loads(line)["custom_id"]) for number, line in numbered
    ]
    texts = dict(numbered)
    for part in planning.parts:
        for row in planning.index(part):
            assert content[row.start : row.end].strip() == texts[row.number].strip()
            assert json.loads(texts[row.number])["body"]["model"] == part.deployment.name
        assert part.lines == len(planning.index(part))
    for shard in planning.shards:
        assert [int(line["custom_id"].rpartition("-")[2]) for line in planning.sent(shard)] == [
            row.number for row in planning.index(shard)
        ]


def what_is_planned(planning: Planning) -> Any:
    """All of a plan but the names of its objects."""
    with small_pieces():
        step = planning.run()
    if step is Next.FAILED:
        return planning.batch.errors
    return [
        (
            part.model_dump(exclude={"index", "input", "runs", "log"}),
            planning.index(part),
            planning.content(getattr(part, "input", [])),
            [number_of(row) for row in planning.content(part.runs).splitlines()],
        )
        for part in planning.parts
    ]


ANY_LINE = LINES.map(lambda line: as_jsonl([line])[:-1]) | st.sampled_from(
    [b"", b"no json", b"\xff", b'{"custom_id":"x"}']
)


@given(st.lists(ANY_LINE, max_size=9), st.integers(1, 4))
def test_a_plan_that_was_stopped_is_the_plan_that_was_not(
    lines: list[bytes], lines_a_run: int
) -> None:
    stopped, whole = Planning(ALL, lines_a_run=lines_a_run), Planning(ALL)
    for planning in (stopped, whole):
        planning.create(b"\n".join(lines))
    assert what_is_planned(stopped) == what_is_planned(whole)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_plan_that_was_killed_at_any_call_is_the_plan_that_was_not(after: bool) -> None:
    lines = [
        a_line(number, CHAT, name) for number, name in enumerate(["gpt", "llama", "claude"] * 3)
    ]
    whole = Planning(ALL)
    whole.create(lines)
    wanted = what_is_planned(whole)
    for number in range(1, 1000):
        planning = Planning(ALL, lines_a_run=4, fate=Fate(kill_at=number, after=after))
        planning.create(lines)
        assert what_is_planned(planning) == wanted
        if planning.fate.calls < number:
            return
    raise AssertionError("There is no end to the calls.")


# ---- Any bytes


@given(st.binary())
def test_no_bytes_break_the_planning(content: bytes) -> None:
    planning = Planning(ALL)
    planning.create(content)
    assert planning.run() is Next.FAILED


@given(st.lists(LINES, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0), st.binary())))
def test_no_spoiled_file_breaks_the_planning(
    lines: list[Json], spoils: list[tuple[int, bytes]]
) -> None:
    content = bytearray(as_jsonl(lines))
    for place, piece in spoils:
        at = place % (len(content) + 1)
        content[at : at + len(piece)] = piece
    planning = Planning(ALL)
    planning.create(bytes(content))
    assert planning.run() in {Next.FAILED, Next.PARTS}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([CHAT, EMBEDDINGS]),
    st.dictionaries(
        st.sampled_from(
            [
                "messages",
                "input",
                "tools",
                "max_tokens",
                "stop",
                "n",
                "response_format",
                "tool_choice",
            ]
        ),
        JSON,
    ),
)
def test_no_body_breaks_the_planning(url: str, body: Json) -> None:
    planning = Planning(ALL)
    lines = [{**a_line(number, url, each.name, **body)} for number, each in enumerate(ALL)]
    planning.create(lines)
    planning.run()
    if planning.batch.errors:
        assert planning.parts == []
    else:
        assert Counter(part.deployment.name for part in planning.parts).keys() <= {
            each.name for each in ALL
        }
        assert sum(part.lines for part in planning.parts) == len(lines)
