"""Anthropic's protocol: its headers, its errors, and its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from local.simulator.anthropic.answers import events, message, prompt_of, to_event, tokens_of
from local.simulator.anthropic.batch_body import first_model
from local.simulator.anthropic.checks import check, check_batched, version_of
from local.simulator.billing import Tokens
from local.simulator.dialect import Content, Event, Headers, Json, UnsignedDialect
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_dialect import bearer_of

BATCHES = "/messages/batches"
# https://docs.claude.com/en/api/errors
_TYPICAL = {
    400: ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the API."),
    403: ("permission_error", "Your API key does not have permission to use this model."),
    404: ("not_found_error", "model: not-a-model"),
    409: ("conflict_error", "The resource is in another state."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out"),
    529: ("overloaded_error", "Overloaded"),
}


class AnthropicDialect(UnsignedDialect):
    paths = frozenset({"/messages"})
    batches: Mapping[str, Callable[[Content], str | None]] = {BATCHES: first_model}

    def key_of(self, headers: Headers) -> str:
        return headers.get(b"x-api-key", b"").decode("latin-1") or bearer_of(headers)

    def check(self, path: str, headers: Headers, body: Json) -> None:
        """Of one request, be it sent alone or in a batch."""
        version = version_of(headers)
        if path in self.batches:
            check_batched(body)
        check(version, body)

    def prompt_of(self, body: Json) -> list[str]:
        return prompt_of(body)

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        return message(body, withheld, "batch" if path in self.batches else "standard")

    def tokens(self, answer: Json) -> Tokens:
        return tokens_of(answer["usage"])

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:  # noqa: ARG002
        return events(answer)

    def typical(self, status: int) -> ApiError:
        kind, text = _TYPICAL.get(status, _TYPICAL[500 if status >= 500 else 400])  # noqa: PLR2004
        headers = {"retry-after": "1"} if status == 429 else {}  # noqa: PLR2004
        return ApiError(status, text, kind=kind, headers=headers)

    def key_missing(self) -> ApiError:
        return ApiError(401, "x-api-key header is required", kind="authentication_error")

    def key_refused(self, ending: str) -> ApiError:  # noqa: ARG002
        return self.typical(401)

    def model_not_found(self, model: str) -> ApiError:
        return ApiError(404, f"model: {model}", kind="not_found_error")

    def envelope(self, error: ApiError, request_id: str) -> Json:
        told = {"type": error.kind, "message": error.message}
        return {"type": "error", "error": told, "request_id": request_id}

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        envelope = self.envelope(error, request_id)
        return to_event("error", error=envelope["error"])

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:  # noqa: ARG002
        return {"request-id": request_id, "anthropic-organization-id": "org-simulator"}
