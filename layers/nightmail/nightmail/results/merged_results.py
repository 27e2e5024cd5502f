"""The results of a batch and of its retries as one, in the order of the input."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field

from nightmail.batch import Batch
from nightmail.file import StoredFile
from nightmail.outcome import number_in_result
from nightmail.results.line_outcomes import cut_with_ends
from nightmail.results.page import Page, PageDraft, PageIsFull, from_text, to_text, wrong_cursor
from nightmail.stores.objects import CHUNK_BYTES, ObjectStore
from nightmail.stores.stores import Stores

_OPEN_BYTES = 16 * 1024 * 1024
_MARK_CHARACTERS = 8


class _Cursor(BaseModel):
    """Lines up to `number` have been read, of each file so many bytes; files that are not named may
    have come since.
    """

    v: Literal[1] = 1
    family: str
    number: int = 0
    offsets: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class _Told(NamedTuple):
    """A line of a result file. Of those of one number the greatest counts: an answer, else the latest."""

    number: int
    is_answer: bool
    batch: int
    line: bytes
    file: str
    end: int


def read_merged(  # noqa: PLR0917 - the API is given it as a function
    batches: Sequence[Batch],
    cursor: str | None,
    limit: int,
    most_bytes: int,
    stores: Stores,
    now: int,
) -> Page:
    """The next lines behind `cursor` of the files of `batches`: a batch, then its retries, each of
    which runs what the one before it could not.

    Each number comes once: where it was answered, with the answer; else with what the latest batch says.
    The first line that a retry may still answer, because it is running, ends the page. Raises
    InvalidRequest where the cursor is none of this batch, and NotFound where a file is gone.
    """
    mark = batches[0].id[-_MARK_CHARACTERS:]
    begun = from_text(cursor, _Cursor) if cursor else _Cursor(family=mark)
    if begun.family != mark:
        raise wrong_cursor()
    draft = PageDraft(limit, most_bytes)
    try:
        files = _files(batches, stores, now)
        is_over = all(batch.status.is_final for batch in batches)
        is_last = _fill(draft, begun, files, stores.objects, is_over=is_over)
    except ValueError as error:  # a cursor that somebody made: it points into the midst of a line
        raise wrong_cursor() from error
    return Page(draft.lines, to_text(begun), is_last)


class _ResultFile(NamedTuple):
    """`name` is what the cursor calls it."""

    file: StoredFile
    name: str
    batch: int
    is_answer: bool


def _files(batches: Sequence[Batch], stores: Stores, now: int) -> list[_ResultFile]:
    """Those of the batches that have ended."""
    named = [
        (batch, place, file_id, file_id == batch.output_file_id)
        for place, batch in enumerate(batches)
        for file_id in (batch.output_file_id, batch.error_file_id)
        if file_id
    ]
    return [
        _ResultFile(
            stores.files.get(batch.owner, file_id, now),
            f"{batch.id[-_MARK_CHARACTERS:]}.{'output' if is_answer else 'error'}",
            place,
            is_answer,
        )
        for batch, place, file_id, is_answer in named
    ]


def _fill(
    draft: PageDraft,
    cursor: _Cursor,
    files: Sequence[_ResultFile],
    objects: ObjectStore,
    *,
    is_over: bool,
) -> bool:
    """Whether all has been read; `cursor` is moved along. Until it is over the last of the batches
    runs all that was not answered.
    """
    block_bytes = min(CHUNK_BYTES, _OPEN_BYTES // max(1, len(files)))
    streams = [_told(each, cursor, objects, block_bytes) for each in files]
    for number, group in groupby(heapq.merge(*streams), key=lambda told: told.number):
        found = list(group)
        if number > cursor.number:
            if not (found[-1].is_answer or is_over):
                return False
            try:
                draft.add(found[-1].line)
            except PageIsFull:
                return False
        cursor.number = max(number, cursor.number)
        cursor.offsets.update({told.file: told.end for told in found})
    return True


def _told(
    result: _ResultFile, cursor: _Cursor, objects: ObjectStore, block_bytes: int
) -> Iterator[_Told]:
    start = cursor.offsets.get(result.name, 0)
    blocks = _blocks(result.file, start, objects, block_bytes)
    for content, end in cut_with_ends(blocks, start):
        line = content + b"\n"
        number = number_in_result(line)
        yield _Told(number, result.is_answer, result.batch, line, result.name, end)


def _blocks(
    file: StoredFile, start: int, objects: ObjectStore, block_bytes: int
) -> Iterator[bytes]:
    for begin in range(start, file.bytes, block_bytes):
        yield from objects.pieces(file.segments, begin, begin + block_bytes)
