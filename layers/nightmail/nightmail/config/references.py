"""`os.environ/NAME`: how the config speaks of a value that lies elsewhere.

A key that is written out in the config is spoken of as `config/<model_name>#<digest>`, so that no key
ever lies in the table or in a log. The digest ties it to that very key: a batch that was submitted
with one key never meets another.
"""

from __future__ import annotations

import hashlib
import re

_ENVIRONMENT = "os.environ/"
_CONFIG = "config/"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGEST_LENGTH = 12


def is_reference(value: str) -> bool:
    """Whether `value` is an `os.environ/NAME`."""
    return value.startswith(_ENVIRONMENT)


def reference_to(name: str) -> str:
    return _ENVIRONMENT + name


def name_of(reference: str) -> str:
    """The NAME of `os.environ/NAME`. Raises ValueError where it is no name of a variable."""
    name = reference.removeprefix(_ENVIRONMENT)
    if not _NAME.fullmatch(name):
        raise ValueError(
            "os.environ/ has to be followed by a name of letters, digits and underscores"
        )
    return name


def is_written_key(value: str) -> bool:
    """Whether `value` speaks of a key that is written out in the config."""
    return value.startswith(_CONFIG)


def written_key(model_name: str, key: str) -> str:
    """How to speak of `key`, which is written out in an entry of `model_name`."""
    return f"{_CONFIG}{model_name}#{hashlib.sha256(key.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def fits_a_header(value: str) -> bool:
    """Whether an HTTP client would take it; its complaint about any other would show the value."""
    return value.isascii() and value.isprintable() and value == value.strip()
