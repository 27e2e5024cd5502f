"""Streamed chat answers of servers that speak OpenAI's protocol more or less. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.providers.conversion.stream_reader import StreamReader
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import read_json
from nightmail.providers.openai_protocol.chat import mend_finish_reason, mend_message
from nightmail.providers.openai_protocol.failure import failure_in
from nightmail.providers.openai_protocol.usage import mend_usage
from nightmail.providers.server_sent_events import Event

_DONE = b"[DONE]"


class OpenAIReader(StreamReader):
    """Chunks pass as they come, under the public name. Servers tell the usage in any chunk, or in
    many; the caller gets it once, in a last chunk, and only where the request asks for it.
    """

    def __init__(
        self, request: Mapping[str, Any], *, provider: str, key: str | None, public_model: str
    ) -> None:
        super().__init__(provider, key)
        options = request.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._public_model = public_model
        self._last: JsonObject = {}
        self._usage: JsonObject | None = None
        self._is_finished = False

    def _broken_off(self) -> list[JsonObject]:
        """Some servers close the connection instead of saying that they are done."""
        return self._end() if self._is_finished else super()._broken_off()

    def _end(self) -> list[JsonObject]:
        self.is_over = True
        return self._usage_chunk()

    def _read(self, event: Event) -> list[JsonObject]:
        if event.data.strip() == _DONE:
            return self._end()
        chunk = self._object(event, read_json(event.data))
        failure = failure_in(chunk, self._provider, self._key)
        if failure:
            raise failure
        self._note_usage(chunk)
        chunk["model"] = self._public_model
        self._last = chunk
        return [chunk] if self._mend_choices(chunk) else []

    def _mend_choices(self, chunk: JsonObject) -> bool:
        """Whether there is any choice in it."""
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise self._garbled("with choices that are no list")
        for choice in choices:
            self._mend_choice(choice)
        return bool(choices)

    def _mend_choice(self, choice: Any) -> None:
        """A last choice may have a reason to finish, and no delta."""
        delta = (choice.get("delta") or {}) if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            raise self._garbled("with a choice that is none")
        choice["delta"] = delta
        mend_message(delta)
        mend_finish_reason(choice, self._provider)
        self._is_finished |= choice.get("finish_reason") is not None

    def _note_usage(self, chunk: JsonObject) -> None:
        mend_usage(chunk)
        groq = chunk.get("x_groq")
        usage = chunk.pop("usage", None) or (groq.get("usage") if isinstance(groq, dict) else None)
        if isinstance(usage, dict):
            self._usage = usage
        if self._wants_usage:
            chunk["usage"] = None

    def _usage_chunk(self) -> list[JsonObject]:
        if not (self._wants_usage and self._usage):
            return []
        chunk = {name: self._last.get(name) for name in ("id", "object", "created")}
        return [{**chunk, "model": self._public_model, "choices": [], "usage": self._usage}]
