"""Mistral's protocol: OpenAI's, but for its errors, a word, and what it counts."""

from __future__ import annotations

from local.simulator.dialect import Headers, Json
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_dialect import OpenAIDialect

_UNPROCESSABLE = 422


class MistralDialect(OpenAIDialect):
    """A request of a wrong form is refused with a list of what is wrong in it."""

    def check(self, path: str, headers: Headers, body: Json) -> None:
        try:
            super().check(path, headers, _as_openai(body))
        except ApiError as error:
            raise ApiError(_UNPROCESSABLE, error.message, param=error.param) from None

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        """Its reasoning is a part of the content, and counted, but not apart."""
        answer = super().answer(path, _as_openai(body), withheld)
        if path != "/chat/completions":
            return answer
        choices = [{**each, "message": _message(each["message"])} for each in answer["choices"]]
        return {**answer, "choices": choices, "usage": _usage(answer["usage"])}

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        if error.status == _UNPROCESSABLE:
            place = ["body", *(error.param or "").split(".")]
            return {"detail": [{"type": "value_error", "loc": place, "msg": error.message}]}
        return {
            "object": "error",
            "message": error.message,
            "type": error.kind,
            "param": error.param,
            "code": error.code,
        }


def _as_openai(body: Json) -> Json:
    """`any` is its older word for `required`."""
    return {**body, "tool_choice": "required"} if body.get("tool_choice") == "any" else body


def _usage(usage: Json) -> Json:
    counted = {name: count for name, count in usage.items() if isinstance(count, int)}
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    return {**counted, "prompt_tokens_details": {"cached_tokens": cached}}


def _message(message: Json) -> Json:
    text = message["content"] or message["refusal"]
    own: Json = {name: message[name] for name in ("role", "tool_calls") if name in message}
    if not (thought := message.get("reasoning_content")):
        return {**own, "content": text}
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
    return {**own, "content": [thinking, *([{"type": "text", "text": text}] if text else [])]}
