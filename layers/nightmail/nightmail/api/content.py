"""The bytes of a file, as an answer of API Gateway or as a redirect to S3.

A REST API turns a base64 body into bytes only for a client whose first accepted type is a binary one
(Amazon API Gateway developer guide, binary media types for REST APIs). Text goes through it unchanged
for every client, so what is UTF-8 is answered as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response

from nightmail.api.wire import error_body, json_response
from nightmail.errors import NotFound, StorageUnavailable, WriteConflict
from nightmail.file import StoredFile
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore

INLINE_BYTES = 5_000_000
URL_SECONDS = 15 * 60
JOIN_LOST_SECONDS = 20 * 60  # longer than join_file may run
_JOINED_BYTES_A_SECOND = 80_000_000
_OCTETS = "application/octet-stream"
_BINARY_TYPES = frozenset({_OCTETS, "application/binary"})  # the template's BinaryMediaTypes
_EVENT_BYTES = 6_000_000  # Lambda's limit for an answer is 6 MB, its headers included
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Contents:
    """The requests for the bytes of files. `clock` answers the Unix second."""

    def __init__(self, files: FileStore, objects: ObjectStore, clock: Callable[[], int]) -> None:
        self._files = files
        self._objects = objects
        self._clock = clock

    def answer(self, owner: str, file_id: str, headers: Mapping[str, str]) -> Response[Any]:
        """The bytes, or those of the `range` header, or a redirect to them.

        A big file that is still in parts is a 503 that tells when to ask again. `headers` are the
        request's, found by names in lower case. Raises NotFound.
        """
        file = self._files.get(owner, file_id, self._clock())
        if file.bytes <= INLINE_BYTES:
            answer = _inline(file, self._read(file), headers)
            if answer:
                return answer
        if not file.is_joined:
            self._ask_again_if_lost(file)
            return _not_yet(file)
        return self._redirect(file)

    def _read(self, file: StoredFile) -> bytes:
        try:
            return b"".join(self._objects.chunks(file.segments))
        except NotFound as error:
            raise StorageUnavailable("The file is just being moved; try again.") from error

    def _redirect(self, file: StoredFile) -> Response[Any]:
        url = self._objects.presign_get(
            file.segments[0].key, URL_SECONDS, disposition=content_disposition(file.filename)
        )
        return Response(302, _OCTETS, "", {"location": url, "cache-control": "no-store"})

    def _ask_again_if_lost(self, file: StoredFile) -> None:
        """A record that asks is told to join_file once more."""
        now = self._clock()
        if now - (file.join_asked_at or file.created_at) >= JOIN_LOST_SECONDS:
            with suppress(WriteConflict):
                self._files.replace(file.model_copy(update={"join_asked_at": now}))


def content_disposition(filename: str) -> str:
    """The header for a download of this name (RFC 6266), with the name in UTF-8 where it is not ASCII."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'attachment; filename="{plain}"{extended}'


def _inline(file: StoredFile, content: bytes, headers: Mapping[str, str]) -> Response[Any] | None:
    """None where the answer would not come through API Gateway unchanged."""
    span = _span(headers.get("range", ""), len(content))
    if span is not None and not span:
        return _not_satisfiable(len(content))
    wanted = content[span.start : span.stop] if span else content
    accepted = headers.get("accept", "").split(",")[0].split(";")[0].strip()
    text = _text(wanted)
    if text is None and accepted not in _BINARY_TYPES:
        return None
    if _event_bytes(wanted, text) > _EVENT_BYTES:
        return None
    answer = Response[Any](200, _OCTETS, wanted if text is None else text, _headers(file))
    if span:
        answer.status_code = 206
        answer.headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{len(content)}"
    return answer


def _event_bytes(content: bytes, text: str | None) -> int:
    """How much of Lambda's answer the body takes: base64, or a JSON string with its escapes."""
    return len(content) * 4 // 3 if text is None else len(json.dumps(text))


def _headers(file: StoredFile) -> dict[str, str | list[str]]:
    return {
        "content-disposition": content_disposition(file.filename),
        "accept-ranges": "bytes",
    }


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _span(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for (RFC 9110, 14.1.2): empty where there are none of them.

    None where it asks for everything, for several ranges, or in another unit: those may be ignored.
    """
    match = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _not_yet(file: StoredFile) -> Response[Any]:
    """OpenAI's clients ask twice more and wait as they are told, up to two minutes each time."""
    seconds = min(60, 3 + file.bytes // _JOINED_BYTES_A_SECOND)
    message = f"The file is still being put together; ask again in {seconds} seconds."
    body = error_body(message, "server_error", None, "file_not_ready")
    return json_response(body, 503, {"retry-after": str(seconds)})


def _not_satisfiable(size: int) -> Response[str]:
    message = f"The file has {size} bytes; the Range header asks for none of them."
    body = error_body(message, "invalid_request_error", "range", None)
    return json_response(body, 416, {"content-range": f"bytes */{size}"})
