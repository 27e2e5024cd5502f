"""AWS's binary event streams: messages with headers and checksums ("Event stream encoding")."""

from __future__ import annotations

import struct
from binascii import crc32
from typing import Any

import orjson

_TEXT = 7  # the type of a header that is a string
_AROUND = 16  # two lengths and two checksums


def event(name: str, **body: Any) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, orjson.dumps(body))


def exception(name: str, words: str) -> bytes:
    headers = {":exception-type": name, ":message-type": "exception"}
    return message(headers, orjson.dumps({"message": words}))


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """Lengths, their checksum, headers, payload, checksum."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", _AROUND + len(packed) + len(payload), len(packed))
    begun = prelude + struct.pack("!I", crc32(prelude)) + packed + payload
    return begun + struct.pack("!I", crc32(begun))


def _header(name: str, value: str) -> bytes:
    told, said = name.encode(), value.encode()
    return struct.pack("!B", len(told)) + told + struct.pack("!BH", _TEXT, len(said)) + said
