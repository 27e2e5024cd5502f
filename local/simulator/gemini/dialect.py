"""Gemini's protocol: its errors, and models that are named in the path."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Headers, Json, UnsignedDialect
from local.simulator.errors import ApiError
from local.simulator.gemini.answers import embed, events, generate, prompt_of, to_bytes, tokens_of
from local.simulator.gemini.checks import check_chat, check_embeddings
from local.simulator.markers import How
from local.simulator.openai_dialect import bearer_of

_NAMED = re.compile(r"/models/(?P<model>[^/:]+):(?P<verb>\w+)")
_DIRECT = re.compile(
    r"/models/(?P<model>[^/:]+):(?P<verb>generateContent|streamGenerateContent|batchEmbedContents)"
)
# https://ai.google.dev/gemini-api/docs/troubleshooting
_TYPICAL = {
    400: (
        "INVALID_ARGUMENT",
        "The input token count exceeds the maximum number of tokens allowed.",
    ),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "Your API key doesn't have the required permissions."),
    404: ("NOT_FOUND", "The requested resource wasn't found."),
    409: ("ABORTED", "The resource is in another state."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: ("INTERNAL", "An internal error has occurred."),
    501: ("UNIMPLEMENTED", "This is not implemented."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request could not be finished within the deadline."),
}
_WRONG_KEY = "API_KEY_INVALID"
_RPC = "type.googleapis.com/google.rpc"


class _Paths(Container[str]):
    """Those of all models."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and _DIRECT.fullmatch(path) is not None


class GeminiDialect(UnsignedDialect):
    paths: Container[str] = _Paths()

    def key_of(self, headers: Headers) -> str:
        return headers.get(b"x-goog-api-key", b"").decode("latin-1") or bearer_of(headers)

    def read(self, path: str, body: Json) -> Json:
        found = _NAMED.fullmatch(path)
        if not found:
            return body
        is_stream = found["verb"] == "streamGenerateContent"
        return {**body, "model": found["model"], **({"stream": True} if is_stream else {})}

    def check(self, path: str, headers: Headers, body: Json) -> None:  # noqa: ARG002
        if path.endswith(":batchEmbedContents"):
            check_embeddings(body)
        else:
            check_chat(body)

    def prompt_of(self, body: Json) -> list[str]:
        return prompt_of(body)

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        return embed(body) if path.endswith(":batchEmbedContents") else generate(body, withheld)

    def tokens(self, answer: Json) -> Tokens:
        return tokens_of(answer)

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:  # noqa: ARG002
        return events(answer)

    def typical(self, status: int) -> ApiError:
        _, text = _TYPICAL.get(status, _TYPICAL[500 if status >= 500 else 400])  # noqa: PLR2004
        headers = {"retry-after": "1"} if status == 429 else {}  # noqa: PLR2004
        return ApiError(status, text, headers=headers)

    def key_missing(self) -> ApiError:
        return ApiError(403, "Method doesn't allow unregistered callers.")

    def key_refused(self, ending: str) -> ApiError:  # noqa: ARG002
        """A wrong key is a 400, which only the details tell from others."""
        return ApiError(400, "API key not valid. Please pass a valid API key.", code=_WRONG_KEY)

    def model_not_found(self, model: str) -> ApiError:
        return ApiError(404, f"models/{model} is not found for API version v1beta.")

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        word, _ = _TYPICAL.get(error.status, ("UNKNOWN", ""))
        told = {"code": error.status, "message": error.message, "status": word}
        details = list(_details(error))
        return {"error": {**told, **({"details": details} if details else {})}}

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return to_bytes(self.envelope(error, request_id))

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:  # noqa: ARG002
        return {"server-timing": f"gfet4t7; dur={milliseconds}"}


def _details(error: ApiError) -> Iterator[Json]:
    if error.code == _WRONG_KEY:
        yield {"@type": f"{_RPC}.ErrorInfo", "reason": _WRONG_KEY, "domain": "googleapis.com"}
    if wait := error.headers.get("retry-after"):
        yield {"@type": f"{_RPC}.RetryInfo", "retryDelay": f"{wait}s"}
