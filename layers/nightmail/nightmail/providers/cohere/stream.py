"""Cohere's stream as OpenAI's chunks (https://docs.cohere.com/v2/docs/streaming)."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from nightmail.lines import is_too_deep
from nightmail.providers.cohere.answer import (
    failure,
    mapping_of,
    to_call,
    to_finish_reason,
    to_logprobs,
    to_usage,
)
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import read_json
from nightmail.providers.server_sent_events import Event, EventReader

_DONE = b"[DONE]"


class CohereReader:
    """A ChunkReader. Every chunk has the same `id` and `created`; only the first has a role.

    `with_usage` is OpenAI's `stream_options.include_usage`. What tells nothing that OpenAI's chunks
    tell, the end of a content or of a tool call, is read over, as is what Cohere may add.
    """

    def __init__(
        self, model: str, created: int, provider: str, key: str | None, *, with_usage: bool
    ) -> None:
        self._frame: JsonObject = {"id": "", "object": "chat.completion.chunk", "created": created}
        self._frame["model"] = model
        self._provider, self._key = provider, key
        self._with_usage = with_usage
        self._events = EventReader(provider, self._read)
        self._role: JsonObject = {"role": "assistant"}
        self._calls: dict[str, int] = {}
        self.is_over = False
        self._readers: dict[str, Callable[[JsonObject, JsonObject], list[JsonObject]]] = {
            "message-start": self._start,
            "content-start": self._content,
            "content-delta": self._content,
            "tool-plan-delta": self._plan,
            "tool-call-start": self._call_start,
            "tool-call-delta": self._call_piece,
            "citation-start": self._citation,
            "message-end": self._end,
        }

    def feed(self, data: bytes) -> list[JsonObject]:
        return self._events.feed(data)

    def close(self) -> list[JsonObject]:
        self._events.close()
        if not self.is_over:
            raise garbled(self._provider, "with half a stream", HTTPStatus.OK)
        return []

    def _read(self, event: Event) -> list[JsonObject]:
        if self.is_over or event.data == _DONE:
            return []
        entry = read_json(event.data)
        if not isinstance(entry, dict) or is_too_deep(event.data, entry):
            raise garbled(self._provider, "with a stream that is not its protocol", HTTPStatus.OK)
        if "type" not in entry:  # no event, then, but an error as at other times
            raise failure(_text(entry.get("message")), self._provider, self._key)
        read = self._readers.get(str(entry["type"]))
        return read(entry, mapping_of(entry.get("delta"))) if read else []

    def _start(self, entry: JsonObject, _delta: JsonObject) -> list[JsonObject]:
        self._frame["id"] = str(entry.get("id") or "")
        return [self._chunk({"content": ""})]

    def _content(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        content = mapping_of(mapping_of(delta.get("message")).get("content"))
        names = {"thinking": "reasoning_content", "text": "content"}
        texts = {ours: _text(content.get(theirs)) for theirs, ours in names.items()}
        said = {name: text for name, text in texts.items() if text}
        return [self._chunk(said, to_logprobs([entry.get("logprobs")]))] if said else []

    def _plan(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        plan = _text(mapping_of(delta.get("message")).get("tool_plan"))
        return [self._chunk({"reasoning_content": plan})] if plan else []

    def _call_start(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        index = self._calls[str(entry.get("index"))] = len(self._calls)
        call = to_call(mapping_of(delta.get("message")).get("tool_calls"))
        return [self._chunk({"tool_calls": [{"index": index, **call}]})]

    def _call_piece(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        call = mapping_of(mapping_of(delta.get("message")).get("tool_calls"))
        piece = {"arguments": _text(mapping_of(call.get("function")).get("arguments"))}
        index = self._calls.get(str(entry.get("index")))
        if index is None:
            raise garbled(self._provider, "with a part of a call that was not begun", HTTPStatus.OK)
        return [self._chunk({"tool_calls": [{"index": index, "function": piece}]})]

    def _citation(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        return [self._chunk({"citations": [mapping_of(delta.get("message")).get("citations")]})]

    def _end(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        words = _text(delta.get("error"))
        reason = to_finish_reason(delta.get("finish_reason"), self._provider, words, self._key)
        self.is_over = True
        last = self._chunk({}, finish_reason=reason)
        if not self._with_usage:
            return [last]
        return [last, {**last, "choices": [], "usage": to_usage(delta.get("usage"))}]

    def _chunk(
        self,
        delta: JsonObject,
        logprobs: JsonObject | None = None,
        finish_reason: str | None = None,
    ) -> JsonObject:
        role, self._role = self._role, {}
        choice = {
            "index": 0,
            "delta": {**role, **delta},
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        usage = {"usage": None} if self._with_usage else {}
        return {**self._frame, "choices": [choice], **usage}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
