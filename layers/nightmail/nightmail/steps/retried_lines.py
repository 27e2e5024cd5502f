"""Which lines of an input file a retry runs: those that the error file of the batch before names."""

from __future__ import annotations

from nightmail.file import StoredFile
from nightmail.lines import cut_lines
from nightmail.outcome import number_in_result
from nightmail.stores.objects import ObjectStore


class RetriedLines:
    """Numbers come in order, as the lines of the input do, so only the next one is kept.

    `offset` is where in the error file to go on after a stop.
    """

    def __init__(self, errors: StoredFile, objects: ObjectStore, offset: int = 0) -> None:
        pieces = objects.pieces(errors.segments, offset, errors.bytes)
        self._lines = cut_lines(pieces, offset)
        self._number: int | None = None
        self._behind = offset
        self.offset = offset
        self._read_next()

    @property
    def are_over(self) -> bool:
        """Whether no line behind those that were asked for is wanted."""
        return self._number is None

    def include(self, number: int) -> bool:
        """Whether the line is one of them; to be asked of every line, in order."""
        while self._number is not None and self._number < number:
            self._read_next()
        return self._number == number

    def _read_next(self) -> None:
        self.offset = self._behind
        line = next(self._lines, None)
        self._number = None if line is None else number_in_result(line.content or b"")
        self._behind = self.offset if line is None else line.end
