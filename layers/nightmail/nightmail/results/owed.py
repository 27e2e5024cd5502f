"""What a line of a part is told when no outcome came for it."""

from __future__ import annotations

from nightmail.batch import BatchError
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import OWED, Ending, Part


class Owed:
    """For a part that is over."""

    def __init__(self, part: Part) -> None:
        self._own = {error.line: _told(error) for error in part.errors if error.line}
        general = (_told(error) for error in part.errors if not error.line)
        self._general = next(general, OWED[part.ending or Ending.LOST])

    def row(self, number: int) -> bytes:
        """The line's own error, else that of the whole part, else what the part's ending says."""
        error = self._own.get(number, self._general)
        return to_row(Outcome(number, Kind.FAILED, error=error))


def _told(error: BatchError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
