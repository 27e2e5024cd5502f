"""Ids: they sort by the time they were made, so a list in order of creation is one key query."""

from __future__ import annotations

import secrets
import time

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TIME_BITS = 48
_RANDOM_BITS = 80


def _sortable_number() -> int:
    milliseconds = time.time_ns() // 1_000_000
    return (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def new_file_id() -> str:
    """`file-` and 22 base62 digits."""
    return f"file-{_base62(_sortable_number(), 22)}"


def new_batch_id() -> str:
    """`batch_` and 32 hexadecimal digits; it names the batch's execution too."""
    return f"batch_{_sortable_number():032x}"


def new_upload_id() -> str:
    """`upload_` and 32 hexadecimal digits."""
    return f"upload_{_sortable_number():032x}"


def new_part_id() -> str:
    """`part_` and 32 hexadecimal digits."""
    return f"part_{_sortable_number():032x}"


def new_request_id() -> str:
    """`req_` and 32 hexadecimal digits, as OpenAI's `x-request-id`."""
    return f"req_{secrets.token_hex(16)}"
