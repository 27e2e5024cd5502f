"""OpenAI's protocol, for OpenAI itself and for the many servers that speak it."""

from __future__ import annotations

from collections.abc import Container, Iterator

from local.simulator import answers, errors, streaming
from local.simulator.billing import Tokens
from local.simulator.dialect import Event, Headers, Json, UnsignedDialect
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_checks import check
from local.simulator.prompts import prompt_texts


class OpenAIDialect(UnsignedDialect):
    """`is_strict` is OpenAI itself: it refuses fields that it does not know, and hides its reasoning.

    `usage` is where a stream has it that nobody has asked for it.
    """

    paths: Container[str] = frozenset(answers.ANSWERS)

    def __init__(self, *, is_strict: bool = True, usage: streaming.UsageAt = "nowhere") -> None:
        self._is_strict = is_strict
        self._usage = usage

    def key_of(self, headers: Headers) -> str:
        return bearer_of(headers)

    def check(self, path: str, headers: Headers, body: Json) -> None:  # noqa: ARG002
        if path not in self.paths:
            raise ApiError(404, f"This simulator does not answer {path}.")
        check(path, body, lenient=not self._is_strict)
        if body.get("stream") and path != "/chat/completions":
            raise ApiError(400, "This simulator streams chat completions only.", param="stream")

    def prompt_of(self, body: Json) -> list[str]:
        return prompt_texts(body)

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        if path == "/chat/completions":
            return answers.chat(body, withheld, shows_thinking=not self._is_strict)
        return answers.ANSWERS[path](body, withheld)

    def tokens(self, answer: Json) -> Tokens:
        return answers.tokens_of(answer.get("usage", {}))

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:  # noqa: ARG002
        options = body.get("stream_options") or {}
        usage = "chunk" if options.get("include_usage") else self._usage
        return streaming.events(answer, usage)

    def typical(self, status: int) -> ApiError:
        return errors.failure(status)

    def key_missing(self) -> ApiError:
        return errors.key_missing()

    def key_refused(self, ending: str) -> ApiError:
        return errors.key_refused(ending)

    def model_not_found(self, model: str) -> ApiError:
        return errors.model_not_found(model)

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        return error.envelope()

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        return streaming.to_event(self.envelope(error, request_id))

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:
        return {
            "x-request-id": request_id,
            "openai-processing-ms": str(milliseconds),
            "openai-version": "2020-10-01",
            "openai-organization": "org-simulator",
        }


def bearer_of(headers: Headers) -> str:
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
