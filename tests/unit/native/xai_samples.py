"""xAI's batches, as its page "Batch API" and `batch.proto` of its published protocol describe them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider
from nightmail.providers.xai.batch_results import name_of
from nightmail.providers.xai.batches import XaiBatches

from tests.unit.adapters.cases import KEY
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.native.cases import Json, NativeSamples, Told

_DIRECT = next(samples for samples in COMPATIBLE if samples.provider == "xai")
# google/rpc/code.proto; the other statuses are told as they are.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13}
_UNANSWERED = {Ending.CANCELLED: 1, Ending.EXPIRED: 4}
_PAGE = 2
_FIELDS = {
    "batch_id": str,
    "name": str,
    "create_time": str,
    "expire_time": str,
    "create_api_key_id": str,
    "cancel_time": str | None,
    "cancel_by_xai_message": str | None,
    "input_file_id": str,
    "state": dict,
}
_COUNTS = {"num_requests", "num_pending", "num_success", "num_error", "num_cancelled"}


def a_moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_batch(told: Told) -> Json:
    has_expired = told.ending is Ending.EXPIRED
    is_cancelled = has_expired or told.ending is Ending.CANCELLED
    day = 24 * 3600
    return {
        "batch_id": told.identity,
        "name": name_of(told.tag, told.lines),
        "create_time": a_moment(told.created),
        "expire_time": a_moment(told.created - day if has_expired else 4102444800),
        "create_api_key_id": "key-1",
        "cancel_time": a_moment(told.created) if is_cancelled else None,
        "cancel_by_xai_message": None,
        "input_file_id": "file-in",
        "state": {
            "num_requests": told.lines,
            "num_pending": 0 if is_cancelled else told.left,
            "num_success": told.completed,
            "num_error": told.failed,
            "num_cancelled": told.left if is_cancelled else 0,
        },
    }


def _answered(identity: str, answer: bytes) -> Json:
    result = {
        "response": {"chat_get_completion": json.loads(answer)},
        "error": {"code": 0, "message": ""},
    }
    return {"batch_request_id": identity, "batch_result": result}


def failed(identity: str, code: int, words: str) -> Json:
    error = {"code": code, "message": words}
    return {
        "batch_request_id": identity,
        "batch_result": {"error": error},
        "error_message": words,
    }


def _check_lines(lines: Sequence[Json]) -> None:
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")


def check_batch(batch: Json) -> None:
    assert batch.keys() == _FIELDS.keys()
    assert all(isinstance(batch[name], kind) for name, kind in _FIELDS.items())
    assert batch["state"].keys() == _COUNTS


@dataclass(frozen=True, repr=False)
class XaiSamples(NativeSamples):
    """Whose lists and results come by pages that a token opens."""

    def started(self, identity: object) -> Json:
        return {"batch_id": identity}

    def cancel_path(self, identity: str) -> str:
        return f"{self.batch_path(identity)}:cancel"

    def page(self, *batches: Told, has_more: bool = False) -> httpx.Response:
        listed = [self.batch(told) for told in batches]
        token = listed[-1]["batch_id"] if has_more else None
        return httpx.Response(200, json={"batches": listed, "pagination_token": token})

    def serving(self, *outputs: bytes) -> BatchProvider:
        """Whatever is asked for, and in whatever order."""

        def answer(request: httpx.Request) -> httpx.Response:
            identity = request.url.path.split("/")[-2]
            pages = list(pages_of(outputs[self.output_ids(len(outputs)).index(identity)]))
            return pages[int(request.url.params.get("pagination_token", "0")) // _PAGE]

        http = httpx.Client(base_url=self.base, transport=httpx.MockTransport(answer))
        return self.open(self.deployment(), http, KEY)


def pages_of(output: bytes) -> Iterator[httpx.Response]:
    """The answers that bring the lines of `output`, a few at a time."""
    lines = output.splitlines()
    for start in range(0, max(1, len(lines)), _PAGE):
        end = start + _PAGE
        token = f'"{end}"' if end < len(lines) else "null"
        listed = b",".join(lines[start:end])
        body = b'{"results":[' + listed + b'],"pagination_token":' + token.encode() + b"}"
        yield httpx.Response(200, content=body)


XAI = XaiSamples(
    direct=_DIRECT,
    open=XaiBatches,
    batches="/batches",
    batch=a_batch,
    words={},
    request_in=lambda line: dict(line["body"]),
    answered=_answered,
    refused=lambda identity, status, words: failed(identity, _CODES.get(status, status), words),
    unanswered=lambda identity, ending: failed(identity, _UNANSWERED[ending], "Not run."),
    outputs=1,
    check_lines=_check_lines,
    check_batch=check_batch,
    entries="batches",
    after="pagination_token",
    is_ever_late=False,
    in_files=False,
    downloads=False,
    garbage=(b"5", b"null", b"[]", b'"x"'),
)
