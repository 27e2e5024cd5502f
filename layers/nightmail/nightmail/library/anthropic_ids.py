"""Requests known by their place and their `custom_id`, in what Anthropic takes as an id.

Anthropic keeps nothing else of ours with a request, and results come in any order. An id there has at most
64 letters, digits, `_` and `-` (its API description of Message Batches).
"""

from __future__ import annotations

import re
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import NamedTuple

from nightmail.library.failures import bad_request
from nightmail.library.options import through_a_gateway
from nightmail.providers.anthropic.batch_format import FUNCTIONS_SUFFIX

_MARK, _NUMBER_DIGITS = "nm", 6
_AS_IT_IS, _ENCODED = "-", "_"
_MOST_CHARACTERS = 64 - len(_MARK) - 2 - _NUMBER_DIGITS - len(FUNCTIONS_SUFFIX)
_MOST_BYTES = _MOST_CHARACTERS * 3 // 4
_PLAIN = re.compile(r"[A-Za-z0-9_-]*")
# The number comes last, so that no custom_id ends like FUNCTIONS_SUFFIX.
_OURS = re.compile(rf"{_MARK}([-_])([A-Za-z0-9_-]*)-([0-9]{{1,{_NUMBER_DIGITS}}})")


class Carried(NamedTuple):
    """What an id tells. The number of one that somebody else has given is behind all others."""

    number: int
    custom_id: str


def carrying(number: int, custom_id: str) -> str:
    """The id of the request with this number. Raises BadRequestError for a `custom_id` that is too long."""
    is_plain = _PLAIN.fullmatch(custom_id)
    written = custom_id if is_plain else _encoded(custom_id)
    if len(written) > _MOST_CHARACTERS:
        raise bad_request(
            f"Line {number}: the custom_id '{custom_id[:100]}' is too long for anthropic, which keeps "
            f"{_MOST_CHARACTERS} letters, digits, '_' and '-', or {_MOST_BYTES} bytes with anything "
            f"else among them. {through_a_gateway('any custom_id is kept')}",
            "custom_id",
        )
    return f"{_MARK}{_AS_IT_IS if is_plain else _ENCODED}{written}-{number}"


def carried_in(identity: str) -> Carried:
    """What `carrying` made the id of, with FUNCTIONS_SUFFIX or without."""
    found = _OURS.fullmatch(identity.removesuffix(FUNCTIONS_SUFFIX))
    if found:
        form, written, number = found.groups()
        custom_id = written if form == _AS_IT_IS else _decoded(written)
        if custom_id is not None:
            return Carried(int(number), custom_id)
    return Carried(sys.maxsize, identity)


def _encoded(custom_id: str) -> str:
    return urlsafe_b64encode(custom_id.encode()).decode().rstrip("=")


def _decoded(written: str) -> str | None:
    try:
        return urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode()
    except (Error, UnicodeDecodeError):
        return None
