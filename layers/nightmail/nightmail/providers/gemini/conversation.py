"""OpenAI's messages as Gemini's system instruction and contents."""

from __future__ import annotations

from nightmail.parameters import invalid, required, string_in
from nightmail.providers.conversion.conversation import Conversation, called, tool_calls
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.content import PARTS, to_text


class GeminiConversation(Conversation):
    """A result names its function, not only its call."""

    provider = "gemini"
    parts = PARTS
    content = "parts"

    def __init__(self) -> None:
        super().__init__()
        self._called: dict[str, str] = {}

    def _add_answer(self, message: JsonObject, param: str) -> None:
        said = self._said(message, param)
        calls = [self._call(call, place) for call, place in tool_calls(message, param)]
        self._say("model", said + calls, message)

    def _call(self, call: JsonObject, param: str) -> JsonObject:
        """Its thoughts' signature stands where Gemini's own OpenAI-compatible endpoint puts it."""
        identity = string_in(call, "id", param)
        place = f"{param}.function"
        name, arguments = called(required(call, "function", place), place)
        self._called[identity] = name
        part: JsonObject = {"functionCall": {"id": identity, "name": name, "args": arguments}}
        signature = _signature(call)
        return {**part, "thoughtSignature": signature} if signature else part

    def _add_tool_result(self, message: JsonObject, param: str) -> None:
        identity = string_in(message, "tool_call_id", param)
        if identity not in self._called:
            place = f"{param}.tool_call_id"
            raise invalid(place, "no assistant message before it has this call.")
        text = to_text(message.get("content"), f"{param}.content")
        answer = {"id": identity, "name": self._called[identity], "response": {"result": text}}
        self._say("user", [{"functionResponse": answer}], message)

    def _complete(self) -> None:
        """Gemini goes on from whatever there is."""


def _signature(call: JsonObject) -> str | None:
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else None
