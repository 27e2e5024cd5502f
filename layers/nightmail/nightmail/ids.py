"""Ids: they sort by the time they were made, so a list in order of creation is one key query."""

from __future__ import annotations

import hashlib
import re
import secrets
import time

# Owners are part of S3 keys, where a name of dots alone means a folder.
_OWNER = re.compile(r"(?!\.+$)[A-Za-z0-9_.-]{1,64}")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES = 10


def _sortable_number(milliseconds: int, random: bytes) -> int:
    return int.from_bytes(milliseconds.to_bytes(6, "big") + random, "big")


def _new_number() -> int:
    return _sortable_number(time.time_ns() // 1_000_000, secrets.token_bytes(_RANDOM_BYTES))


def _derived_number(seed: str, made_at: int) -> int:
    digest = hashlib.sha256(seed.encode()).digest()
    return _sortable_number(made_at * 1000, digest[:_RANDOM_BYTES])


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def _file_id(number: int) -> str:
    return f"file-{_base62(number, 22)}"


def _batch_id(number: int) -> str:
    return f"batch_{number:032x}"


def new_file_id() -> str:
    """`file-` and 22 base62 digits."""
    return _file_id(_new_number())


def new_batch_id() -> str:
    """`batch_` and 32 hexadecimal digits; it names the batch's execution too."""
    return _batch_id(_new_number())


def derived_file_id(seed: str, made_at: int) -> str:
    """A file's id that is the same each time for the same `seed` and Unix second."""
    return _file_id(_derived_number(seed, made_at))


def derived_batch_id(seed: str, made_at: int) -> str:
    """A batch's id that is the same each time for the same `seed` and Unix second."""
    return _batch_id(_derived_number(seed, made_at))


def new_upload_id() -> str:
    """`upload_` and 32 hexadecimal digits."""
    return f"upload_{_new_number():032x}"


def new_part_id() -> str:
    """`part_` and 32 hexadecimal digits."""
    return f"part_{_new_number():032x}"


def new_request_id() -> str:
    """`req_` and 32 hexadecimal digits, as OpenAI's `x-request-id`."""
    return f"req_{secrets.token_hex(16)}"


def is_owner(name: str) -> bool:
    """Whether an owner may have this name."""
    return _OWNER.fullmatch(name) is not None
