"""Together's protocol: OpenAI's, without nulls and with more of what was asked and called."""

from __future__ import annotations

from local.simulator.dialect import Json
from local.simulator.markers import How
from local.simulator.openai_dialect import OpenAIDialect

_LACKS = frozenset({"service_tier", "system_fingerprint"})


class TogetherDialect(OpenAIDialect):
    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        answer = super().answer(path, body, withheld)
        if path != "/chat/completions":
            return answer
        kept = {name: value for name, value in answer.items() if name not in _LACKS}
        return {**kept, "prompt": [], "choices": [_choice(each) for each in answer["choices"]]}


def _choice(choice: Json) -> Json:
    message = {"content": "", **_said(choice["message"])}
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
    return {
        "index": choice["index"],
        "message": message,
        "finish_reason": choice["finish_reason"],
    }


def _said(message: Json) -> Json:
    return {name: value for name, value in message.items() if value is not None}
