"""What xAI tells of a batch and of its lines, as our values. Pure.

It has no word for how far a batch is: that is told by counts, and by the moment of its cancellation.
Which code of a line's error stands for what is not documented. Its type is gRPC's `Status`
(`batch.proto`), so a small number is taken for one of its codes, and a greater one for an HTTP status.
Nor is it what becomes of a batch at its `expire_time`: what is pending then may run and be paid, so that
it counts as running, and is to be asked to stop, until nothing is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from nightmail.batch import BatchError
from nightmail.part import OWED, Ending
from nightmail.providers.base import Phase, Progress, Tag
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import without_secrets
from nightmail.providers.json_text import count, mapping_of
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol.batch_results import outcome_of
from nightmail.providers.rpc_codes import RPC_STATUSES

# google/rpc/code.proto: cancelled, and a deadline that is over.
_UNANSWERED = {1: OWED[Ending.CANCELLED], 4: OWED[Ending.EXPIRED]}
_LEAST_STATUS = 100
_LINES = re.compile(r" (\d{1,9})\Z", re.ASCII)


def name_of(tag: Tag, lines: int) -> str:
    """What marks a batch as ours: it has no metadata. It tells how many lines there are to be."""
    return f"nightmail {tag.batch_id} {tag.shard} {tag.round} {tag.attempt} {lines}"


def to_progress(batch: JsonObject, now: float) -> Progress:
    """A batch at `now`, in Unix seconds.

    Whether a file is taken in at once is not documented, so that a batch of ours is not over before it
    has as many requests as were sent: what it takes in later would be paid, and answer nobody.
    """
    state = mapping_of(batch.get("state"))
    succeeded, refused = count(state.get("num_success")), count(state.get("num_error"))
    ending = _ending(batch, state)
    expires_at = _moment(batch.get("expire_time"))
    identity = batch.get("batch_id")
    has_results = ending is Ending.COMPLETED or (ending and succeeded + refused > 0)
    return Progress(
        phase=Phase.ENDED if ending else Phase.RUNNING,
        status=ending or "running",
        ending=ending,
        completed=succeeded,
        failed=refused + count(state.get("num_cancelled")),
        output_ids=[identity] if has_results and isinstance(identity, str) else [],
        errors=_errors(batch),
        is_overdue=not ending and expires_at is not None and expires_at <= now,
    )


def _ending(batch: JsonObject, state: JsonObject) -> Ending | None:
    """None where it runs, and where its counts are not told: "not always populated" (`batch.proto`)."""
    if not state:
        return None
    if state.get("num_pending"):
        return None
    if batch.get("cancel_time"):
        return Ending.FAILED if batch.get("cancel_by_xai_message") else _stopped(batch)
    total = count(state.get("num_requests"))
    return Ending.COMPLETED if total and total >= _lines_of(batch) else None


def _stopped(batch: JsonObject) -> Ending:
    stopped_at, expired_at = _moment(batch.get("cancel_time")), _moment(batch.get("expire_time"))
    is_late = stopped_at is not None and expired_at is not None and stopped_at >= expired_at
    return Ending.EXPIRED if is_late else Ending.CANCELLED


def _lines_of(batch: JsonObject) -> int:
    """How many there are to be, by the name of a batch of ours."""
    found = _LINES.search(str(batch.get("name")))
    return int(found[1]) if found else 0


def _errors(batch: JsonObject) -> list[BatchError]:
    said = batch.get("cancel_by_xai_message")
    return [BatchError(code="provider_error", message=without_secrets(str(said)))] if said else []


def made_at(batch: JsonObject) -> int | None:
    """Unix seconds; of a mere date those of its end, as it may be any of that day."""
    moment = _moment(batch.get("create_time"))
    return None if moment is None else int(moment)


def _moment(text: object) -> float | None:
    try:
        read = datetime.fromisoformat(str(text))
        if read.tzinfo is None:
            read = read.replace(tzinfo=UTC)
        is_date = len(str(text)) == len("2026-11-21")
        return (read + timedelta(days=is_date)).timestamp()
    except (ValueError, OverflowError):
        return None


def to_outcome(entry: JsonObject, content: bytes, reading: Reading) -> Found | None:
    """One result, which lies in `content`, or None for garbage."""
    return outcome_of(_as_openai(entry), content, reading)


def _as_openai(entry: JsonObject) -> JsonObject:
    """A result as a line of OpenAI's output file; where nothing failed, xAI sends an error of 0."""
    line = {**entry, "custom_id": entry.get("batch_request_id"), "response": None, "error": None}
    result = mapping_of(entry.get("batch_result"))
    error = mapping_of(result.get("error"))
    code, message = error.get("code"), error.get("message") or entry.get("error_message")
    if isinstance(code, int) and code in _UNANSWERED:
        return {**line, "error": _UNANSWERED[code]}
    if code or message:
        return {**line, "response": _refusal(code, message)}
    answer = mapping_of(result.get("response")).get("chat_get_completion")
    return {**line, "response": {"status_code": HTTPStatus.OK, "request_id": "", "body": answer}}


def _refusal(code: object, message: object) -> JsonObject:
    number = code if isinstance(code, int) else 0
    known = RPC_STATUSES.get(number, HTTPStatus.INTERNAL_SERVER_ERROR)
    status = number if number >= _LEAST_STATUS else int(known)
    return {"status_code": status, "request_id": "", "body": {"error": str(message or "")}}
