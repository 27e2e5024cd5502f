"""Result files made wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import orjson

from local.simulator.batch_faults import (
    Duplicated,
    Garbage,
    Missing,
    SpoiledLines,
    Truncated,
    UnknownIds,
)
from local.simulator.behaviour import BatchFaults

_GARBAGE = b'<html>\xff\xfe not a line of JSON {"custom_id":\n'


def spoil(
    path: Path,
    faults: BatchFaults,
    file: Literal["output", "error"],
    identity: str = "custom_id",
) -> None:
    """Rewrite a result file with the faults that its batch has for it; without any, leave it.

    `identity` is the field that tells which line a result is of.
    """
    spoilers = {kind: _lines_of(faults.get(kind), file) for kind in _KINDS}
    if any(spoilers.values()):
        spoiled = path.with_suffix(".spoiled")
        with path.open("rb") as source, spoiled.open("wb") as target:
            target.writelines(_spoiled_lines(source, spoilers, identity))
        spoiled.replace(path)
    truncated = faults.get(Truncated)
    if truncated and truncated.file == file:
        _truncate(path, mid_line=truncated.mid_line)


def _lines_of(fault: SpoiledLines | None, file: str) -> int:
    return fault.lines if fault and fault.file == file else 0


def _spoiled_lines(
    source: BinaryIO, spoilers: dict[type[SpoiledLines], int], identity: str
) -> Iterator[bytes]:
    for number, line in enumerate(source):
        if number < spoilers[Garbage]:
            yield _GARBAGE
        if number < spoilers[UnknownIds]:
            yield (
                orjson.dumps({**orjson.loads(line), identity: f"nobody-sent-this-{number}"}) + b"\n"
            )
        if number >= spoilers[Missing]:
            yield line
        if number < spoilers[Duplicated]:
            yield line


def _truncate(path: Path, *, mid_line: bool) -> None:
    """Keep the lines of the first half of the file, and half of the next one if so wanted."""
    half = path.stat().st_size // 2
    kept, line = 0, b""
    with path.open("r+b") as file:
        for line in file:
            if kept + len(line) > half:
                break
            kept += len(line)
        file.truncate(kept + len(line) // 2 if mid_line else kept)


_KINDS: tuple[type[SpoiledLines], ...] = (Duplicated, Missing, Garbage, UnknownIds)
