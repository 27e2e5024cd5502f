"""Streamed chat answers of servers that speak OpenAI's protocol more or less. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightmail.lines import is_too_deep
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import read_json
from nightmail.providers.openai_protocol.chat import mend_finish_reason, mend_message
from nightmail.providers.openai_protocol.failure import failure_in
from nightmail.providers.openai_protocol.usage import mend_usage
from nightmail.providers.server_sent_events import Event, EventReader

_DONE = b"[DONE]"


class OpenAIReader:
    """Chunks pass as they come, under the public name. Servers tell the usage in any chunk, or in
    many; the caller gets it once, in a last chunk, and only where the request asks for it.
    """

    def __init__(
        self, request: Mapping[str, Any], *, provider: str, key: str | None, public_model: str
    ) -> None:
        options = request.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._provider = provider
        self._key = key
        self._public_model = public_model
        self._events = EventReader(provider, self._read)
        self._last: JsonObject = {}
        self._usage: JsonObject | None = None
        self._is_finished = False
        self.is_over = False

    def feed(self, data: bytes) -> list[JsonObject]:
        return self._events.feed(data)

    def close(self) -> list[JsonObject]:
        self._events.close()
        if not (self.is_over or self._is_finished):
            raise garbled(self._provider, "with a stream that breaks off", 200)
        return self._end()

    def _end(self) -> list[JsonObject]:
        """Some servers close the connection instead of saying that they are done."""
        chunks = [] if self.is_over else self._usage_chunk()
        self.is_over = True
        return chunks

    def _read(self, event: Event) -> list[JsonObject]:
        if self.is_over:
            return []
        if event.data.strip() == _DONE:
            return self._end()
        chunk = read_json(event.data)
        if not isinstance(chunk, dict) or is_too_deep(event.data, chunk):
            raise garbled(self._provider, "with a stream of something else than chunks", 200)
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
            raise garbled(self._provider, "with choices that are no list", 200)
        for choice in choices:
            self._mend_choice(choice)
        return bool(choices)

    def _mend_choice(self, choice: Any) -> None:
        """A last choice may have a reason to finish, and no delta."""
        delta = (choice.get("delta") or {}) if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            raise garbled(self._provider, "with a choice that is none", 200)
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
