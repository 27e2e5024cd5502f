"""Passing on: every line is in one part, whatever its provider said and whoever takes over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.line_ids import number_in
from nightmail.outcome import Kind, Outcome
from nightmail.part import Ending, Part
from nightmail.providers.base import BatchProvider, Cursor, Limits, NumberOf, Result
from nightmail.shard import Shard, ShardState
from nightmail.steps.input_lines import index_of
from nightmail.usage import Usage

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.samples import BATCH_ID, NOW
from tests.unit.world import MODEL, World, request

NOBODY = SimulatorClient("http://127.0.0.1:9")
LINES = 9
HOUR = 3600
SAID = ["answered", "silence", "400", "403", "429", "500", "expired"]


@dataclass
class Ended:
    """A provider whose batch has ended with these outcomes."""

    outcomes: Sequence[Outcome]

    def results(
        self, _ids: list[str], _model: str, _cursor: Cursor, _number_of: NumberOf
    ) -> Iterator[Result]:
        for place, outcome in enumerate(self.outcomes, 1):
            yield Result(outcome, Usage(), Cursor(0, place))


def outcome(number: int, said: str) -> Outcome:
    if said == "answered":
        return Outcome(number, Kind.ANSWERED, {"status_code": 200, "body": {}})
    if said == "expired":
        return Outcome(number, Kind.FAILED, error={"code": "batch_expired", "message": "Late."})
    return Outcome(number, Kind.REFUSED, {"status_code": int(said), "body": {}})


def line(number: int, *, is_simple: bool) -> Json:
    """One that is not simple has a parameter that Anthropic has no word for."""
    body = request(number)["body"]
    return request(number, body=body if is_simple else {**body, "logprobs": True})


def collected(
    said: Sequence[str],
    simple: Sequence[bool],
    fallbacks: Sequence[str] = (),
    hours: int = 60,
    most: int = 50_000,
    **shard: Any,
) -> World:
    """A world whose shard has been collected; of each line this was said, or nothing. A provider's
    batch takes `most` lines from then on.
    """
    world = World(NOBODY)
    outcomes = [outcome(at, each) for at, each in enumerate(said, 1) if each != "silence"]
    world.provider_of = lambda _: cast(BatchProvider, Ended(outcomes))
    lines = [line(number, is_simple=each) for number, each in enumerate(simple, 1)]
    world.create(lines, expires_at=NOW + 60 * HOUR)
    world.step("PlanBatch")
    others = [world.deployment(f"other-{name}", provider=name) for name in fallbacks]
    fields = {"fallbacks": others, "ending": Ending.COMPLETED, "rereads": 99}
    world.change_shard(state=ShardState.ENDED, provider_output_ids=["f"], **{**fields, **shard})
    world.now = NOW + (60 - hours) * HOUR
    with pytest.MonkeyPatch.context() as patch:
        for native in NATIVE_LANES.values():
            patch.setattr(native.format, "limits", Limits(lines=most, bytes=100_000))
        world.step("CollectShard", 1)
    return world


def numbers(world: World, part: Part) -> list[int]:
    return [row.number for row in index_of(part, world.stores.objects)]


def sent(world: World, shard: Shard) -> list[int]:
    """The numbers of the lines in its provider's format."""
    content = b"".join(world.stores.objects.chunks(shard.input))
    ids = (str(orjson.loads(entry)["custom_id"]) for entry in content.splitlines())
    return [number for each in ids if (number := number_in(each, BATCH_ID)) is not None]


SHAPES = st.fixed_dictionaries(
    {
        "fallbacks": st.sampled_from([[], ["openai"], ["anthropic"], ["anthropic", "openai"]]),
        "hours": st.sampled_from([1, 12, 60]),
        "most": st.integers(1, 4),
        "tries": st.sampled_from([0, 2]),
    }
)


@pytest.mark.of("anthropic")
@given(
    st.lists(st.sampled_from(SAID), min_size=LINES, max_size=LINES),
    st.lists(st.booleans(), min_size=LINES, max_size=LINES),
    SHAPES,
)
def test_every_line_is_in_one_part_and_in_its_order(
    said: list[str], simple: list[bool], shape: dict[str, Any]
) -> None:
    world = collected(said, simple, **shape)
    listed = [numbers(world, part) for part in world.parts]
    assert sorted(number for some in listed for number in some) == list(range(1, LINES + 1))
    for part, some in zip(world.parts, listed, strict=True):
        assert some == sorted(some)
        assert part.lines == len(some)
        assert not some or part.first <= some[0]
        assert part.completed + part.failed == (part.lines if part.is_over else 0)
    whole = world.parts[0]
    stays = {
        number for number, each in enumerate(said, 1) if each in {"answered", "silence", "400"}
    }
    assert stays <= set(listed[0])
    assert whole.completed == said.count("answered")
    for shard in world.shards[1:]:
        assert sent(world, shard) == numbers(world, shard)
        assert all(simple[at - 1] for at in sent(world, shard)) or (
            shard.deployment.provider == "openai"
        )


@pytest.mark.of("anthropic")
def test_lines_go_where_their_reasons_lead() -> None:
    said = ["answered", "429", "403", "expired", "400", "500", "403", "silence"]
    world = collected(said, [True] * 8, ["anthropic"])
    listed = [(part.deployment.name, numbers(world, part)) for part in world.parts]
    assert listed == [
        (MODEL, [1, 5, 8]),
        (MODEL, [2, 4, 6]),
        ("other-anthropic", [3, 7]),
    ]
    assert [part.tries for part in world.parts] == [0, 1, 0]
    assert [part.round for part in world.parts] == [0, 1, 2]


def test_an_index_tells_where_a_line_stands_in_the_file() -> None:
    world = collected(["429", "answered"], [True, True])
    (row,) = index_of(world.parts[1], world.stores.objects)
    content = world.stores.objects.get("files/alice/file-in")
    assert orjson.loads(content[row.start : row.end]) == line(1, is_simple=True)
    assert orjson.loads(row.custom_id) == "line-1"


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (["answered", "expired"], Ending.COMPLETED),
        (["answered", "400"], Ending.COMPLETED),
        (["answered", "silence"], Ending.EXPIRED),
    ],
)
def test_a_shard_has_expired_if_a_line_has_that_stays(said: list[str], ending: Ending) -> None:
    world = collected(said, [True] * 2, ending=Ending.EXPIRED)
    assert world.parts[0].ending is ending
