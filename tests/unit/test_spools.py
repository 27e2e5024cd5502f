"""Objects that are written side by side keep their bytes, within one bound of memory."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.steps import spools
from nightmail.steps.spools import Spools
from nightmail.stores.objects import ObjectStore

from tests.unit.memory import MemoryS3

WRITES = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30)))


@given(WRITES, st.integers(1, 40), st.integers(1, 40))
def test_what_is_written_to_each_is_read_from_each_and_never_much_is_held(
    writes: list[tuple[int, bytes]], segment_bytes: int, most_bytes: int
) -> None:
    objects = ObjectStore(cast("Any", MemoryS3()), "bucket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spools, "SEGMENT_BYTES", segment_bytes)
        patch.setattr(spools, "MOST_BYTES", most_bytes)
        together = Spools(objects)
        opened = [together.open(f"work/{place}", []) for place in range(4)]
        for place, content in writes:
            opened[place].write(content)
            assert sum(spool.held for spool in opened) <= most_bytes
            assert all(spool.held < segment_bytes for spool in opened)
        for spool in opened:
            together.close(spool)
    for place, spool in enumerate(opened):
        wanted = b"".join(content for to, content in writes if to == place)
        assert b"".join(objects.chunks(spool.segments)) == wanted
        assert sum(segment.size for segment in spool.segments) == len(wanted)


def test_the_fullest_makes_room() -> None:
    objects = ObjectStore(cast("Any", MemoryS3()), "bucket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spools, "MOST_BYTES", 10)
        together = Spools(objects)
        small, large = together.open("work/small", []), together.open("work/large", [])
        large.write(b"12345678")
        small.write(b"123")
    assert (small.held, large.held) == (3, 0)


def test_a_run_that_was_overtaken_spoils_nothing() -> None:
    """Two runs write pieces of the same name's beginning; each finds its own."""
    objects = ObjectStore(cast("Any", MemoryS3()), "bucket")
    first, second = (Spools(objects).open("work/index", []) for _ in range(2))
    first.write(b"first")
    first.flush()
    second.write(b"second")
    second.flush()
    assert b"".join(objects.chunks(first.segments)) == b"first"
    assert b"".join(objects.chunks(second.segments)) == b"second"
