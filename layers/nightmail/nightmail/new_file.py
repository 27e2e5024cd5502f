"""What a new file is asked to be: the rules of its purpose, and how long it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.file import ExpiresAfter
from nightmail.parameters import integer, mapping, one_of, required

BATCH = "batch"
PURPOSES = ("assistants", BATCH, "fine-tune", "vision", "user_data", "evals")
_LEAST_SECONDS = 3600
_MOST_SECONDS = 2_592_000
_BATCH_FILE_SECONDS = 30 * 24 * 3600  # OpenAI keeps batch files for 30 days unless told otherwise
_INVALID = "Invalid file format for Batch API."
# Byte-order marks and UTF-16's zeros are no reason to refuse a file: its batch names the bad lines.
_BEFORE_THE_FIRST_LINE = b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"
_CHUNKS_LOOKED_AT = 16


def purpose_of(fields: Mapping[str, Any]) -> str:
    """The field `purpose`. Raises InvalidRequest where it is missing or none of OpenAI's."""
    return one_of(required(fields, "purpose", "purpose"), "purpose", PURPOSES)


def expires_after(value: Any, param: str) -> ExpiresAfter | None:
    """OpenAI's `expires_after`; None for null. Raises InvalidRequest that names what is wrong in `param`."""
    if value is None:
        return None
    fields = mapping(value, param)
    anchor = required(fields, "anchor", f"{param}.anchor")
    seconds = required(fields, "seconds", f"{param}.seconds")
    one_of(anchor, f"{param}.anchor", ["created_at"])
    return ExpiresAfter(seconds=integer(seconds, f"{param}.seconds", _LEAST_SECONDS, _MOST_SECONDS))


def expiry(purpose: str, after: ExpiresAfter | None, created_at: int) -> int | None:
    """When the file is removed, in Unix seconds; None: when somebody deletes it."""
    if after:
        return created_at + after.seconds
    return created_at + _BATCH_FILE_SECONDS if purpose == BATCH else None


def check_name(purpose: str, filename: str, param: str) -> None:
    """Raises InvalidRequest that names `param` where a batch file's name does not end in .jsonl."""
    if purpose == BATCH and not filename.lower().endswith(".jsonl"):
        raise InvalidRequest(f"{_INVALID} Must be .jsonl", param=param)


def check_content(purpose: str, chunks: Iterable[bytes], param: str) -> None:
    """Raises InvalidRequest that names `param` where a batch file is empty or has no JSON objects.

    Only the first line is looked at, and only whether it begins as an object does: what else is wrong
    with the lines, the batch tells of each.
    """
    if purpose != BATCH:
        return
    stripped = (chunk.lstrip(_BEFORE_THE_FIRST_LINE) for chunk in islice(chunks, _CHUNKS_LOOKED_AT))
    start = next(filter(None, stripped), b"")
    if not start:
        raise InvalidRequest(f"{_INVALID} The file is empty.", param=param)
    if not start.startswith(b"{"):
        raise InvalidRequest(
            f"{_INVALID} The first line is not a JSON object; write one request on each line.",
            param=param,
        )
