"""How providers know a line: by its batch and its number, never by the caller's `custom_id`.

The batch is part of it, so that a provider's batch that is not ours can never answer our lines.
"""

from __future__ import annotations

_MARK_CHARACTERS = 20
_NUMBER_DIGITS = 12


def line_id(batch_id: str, number: int) -> str:
    """Letters, digits and `-`; at most 33 characters."""
    return f"{batch_id[-_MARK_CHARACTERS:]}-{number}"


def number_in(text: str, batch_id: str) -> int | None:
    """The number of the line that `text` stands for, or None where it is no line of this batch."""
    mark, _, number = text.partition("-")
    is_number = number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS
    return int(number) if is_number and mark == batch_id[-_MARK_CHARACTERS:] else None
