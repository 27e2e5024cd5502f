"""A part's index: a row for each of its lines, `number start end custom_id`, in order of the numbers.

`start` and `end` bound the line's bytes in the input file; `custom_id` is JSON text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nightmail.lines import cut_lines


class IndexRow(NamedTuple):
    """Where a line stands, and what its caller calls it."""

    number: int
    start: int
    end: int
    custom_id: bytes


def to_index_row(row: IndexRow) -> bytes:
    """The row as it is written, with its newline."""
    return b"%d %d %d %b\n" % row


def read_index(content: Iterable[bytes]) -> Iterator[IndexRow]:
    """The rows of an index that comes as a stream."""
    for raw in cut_lines(content):
        number, start, end, custom_id = (raw.content or b"").split(b" ", 3)
        yield IndexRow(int(number), int(start), int(end), custom_id)
