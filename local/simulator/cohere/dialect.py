"""Cohere's protocol: its errors, and its two endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from local.simulator.billing import Tokens
from local.simulator.cohere.answers import chat, embed, events, prompt_of, to_event, tokens_of
from local.simulator.cohere.checks import check
from local.simulator.dialect import Event, Headers, Json, UnsignedDialect
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_dialect import bearer_of

# https://docs.cohere.com/reference/errors
_TYPICAL = {
    400: "invalid request: too many tokens: size limit exceeded by 1200 tokens.",
    401: "invalid api token",
    402: "your account has no credit left",
    403: "you are not allowed to use this model",
    404: "model 'not-a-model' not found",
    422: "unknown field: parameter 'x' is not a valid field",
    429: "You are past the per minute request limit, please wait and try again later.",
    498: "invalid token",
    499: "request cancelled",
    500: "internal server error",
    501: "not implemented",
    503: "service unavailable",
    504: "request timeout",
}


class CohereDialect(UnsignedDialect):
    paths = frozenset({"/chat", "/embed"})

    def key_of(self, headers: Headers) -> str:
        return bearer_of(headers)

    def check(self, path: str, headers: Headers, body: Json) -> None:  # noqa: ARG002
        check(path, body)

    def prompt_of(self, body: Json) -> list[str]:
        return prompt_of(body)

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        return chat(body, withheld) if path == "/chat" else embed(body)

    def tokens(self, answer: Json) -> Tokens:
        return tokens_of(answer)

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:  # noqa: ARG002
        return events(answer)

    def typical(self, status: int) -> ApiError:
        text = _TYPICAL.get(status) or _TYPICAL[500 if status >= 500 else 400]  # noqa: PLR2004
        return ApiError(status, text)

    def key_missing(self) -> ApiError:
        return ApiError(401, "no api key supplied")

    def key_refused(self, ending: str) -> ApiError:  # noqa: ARG002
        return self.typical(401)

    def model_not_found(self, model: str) -> ApiError:
        return ApiError(404, f"model '{model}' not found")

    def envelope(self, error: ApiError, request_id: str) -> Json:
        return {"id": request_id, "message": error.message}

    def error_event(self, error: ApiError, request_id: str) -> bytes:  # noqa: ARG002
        """A message that ends as an error: Cohere has no event for errors."""
        ended = {"finish_reason": "ERROR", "error": error.message}
        return to_event("message-end", delta=ended) + b"data: [DONE]\n\n"

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:  # noqa: ARG002
        return {"x-debug-trace-id": request_id}
