"""Where a line goes that leaves its way: the one beside it, which is looked for once."""

from __future__ import annotations

from typing import SupportsIndex

import pytest
from nightmail.providers.registry import open_format
from nightmail.steps.lanes import Lanes
from nightmail.steps.part_writer import Way
from nightmail.steps.ways import MOST_WAYS, KnownWays, TooManyWays, Ways

from tests.unit.planning import deployment
from tests.unit.samples import sample_batch

CHAT = "/v1/chat/completions"


class Searched(list[Way]):
    """A list that counts how often something was looked for in it."""

    searches = 0

    def __contains__(self, way: object) -> bool:
        self.searches += 1
        return super().__contains__(way)

    def index(self, way: Way, *bounds: SupportsIndex) -> int:
        self.searches += 1
        return super().index(way, *bounds)


def native(model: str) -> Way:
    return Way(endpoint=CHAT, deployment=deployment(model), lane="native")


def ways_of(*known: Way) -> tuple[Ways, Searched]:
    """Ways that know these, and their list."""
    listed = Searched(known)
    ways = KnownWays()
    ways.ways = listed
    lanes = Lanes(sample_batch(), open_format, chunk_lines=1000)
    return Ways(ways, lanes, lambda _: [], lambda _: []), listed


def test_each_way_has_one_called_and_one_refused_beside_it() -> None:
    ways, listed = ways_of(native("a"), native("b"))
    assert [ways.called(0), ways.called(1), ways.refused(0), ways.refused(1)] == [2, 3, 4, 5]
    assert [ways.called(1), ways.refused(0), ways.refused(4)] == [3, 4, 4]
    assert [way.lane for way in listed[2:]] == ["direct"] * 2 + ["refused"] * 2
    assert [way.deployment.name for way in listed] == ["a", "b"] * 3


def test_a_way_that_is_known_already_is_found_again() -> None:
    called = native("a").model_copy(update={"lane": "direct"})
    ways, listed = ways_of(native("a"), called)
    assert ways.called(0) == 1
    assert len(listed) == 2


def test_a_deployment_that_may_not_be_called_has_no_way_beside_it() -> None:
    forced = Way(endpoint=CHAT, deployment=deployment(lane="native"), lane="native")
    ways, listed = ways_of(forced)
    assert ways.called(0) is None
    assert len(listed) == 1


def test_a_million_lines_that_leave_their_way_look_for_the_next_once() -> None:
    ways, listed = ways_of(native("a"))
    ways.called(0)
    ways.refused(0)
    searches = listed.searches
    for _ in range(10):
        assert (ways.called(0), ways.refused(0)) == (1, 2)
    assert listed.searches == searches


def test_too_many_ways_beside_the_others_are_refused() -> None:
    ways, _ = ways_of(*(native(f"m{number}") for number in range(MOST_WAYS)))
    with pytest.raises(TooManyWays):
        ways.called(0)
