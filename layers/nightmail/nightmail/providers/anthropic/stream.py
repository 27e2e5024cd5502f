"""Anthropic's stream of events as OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nightmail.lines import is_too_deep
from nightmail.providers.anthropic.answer import (
    explanation,
    finish_reason,
    has_names,
    is_answer,
    is_call,
    json_text,
    to_usage,
)
from nightmail.providers.anthropic.errors import late_error
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import read_json
from nightmail.providers.server_sent_events import Event, EventReader


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What the chunks of one answer have in common. `created` is Unix seconds."""

    model: str
    created: int
    functions: bool
    include_usage: bool


@dataclass(slots=True)
class _Block:
    """A content block on its way. `call` is the index among the tool calls, None for none."""

    content: JsonObject
    call: int | None
    has_arguments: bool = False


class MessageReader:
    """Reads one stream; events of a kind that it does not know are passed over, as documented."""

    def __init__(self, provider: str, key: str | None, options: StreamOptions) -> None:
        self._provider = provider
        self._key = key
        self._options = options
        self._events = EventReader(provider, self._read)
        self._id: str | None = None
        self._blocks: dict[str, _Block] = {}
        self._calls = 0
        self._usage: JsonObject = {}
        self._stop: JsonObject = {}
        self.is_over = False
        self._readers: dict[str, Callable[[JsonObject], list[JsonObject]]] = {
            "message_start": self._start,
            "content_block_start": self._open_block,
            "content_block_delta": self._add_to_block,
            "content_block_stop": self._close_block,
            "message_delta": self._note_end,
            "message_stop": self._end,
        }

    def feed(self, data: bytes) -> list[JsonObject]:
        return self._events.feed(data)

    def close(self) -> list[JsonObject]:
        self._events.close()
        if not self.is_over:
            raise garbled(self._provider, "with a stream that breaks off before its end", 200)
        return []

    def _read(self, event: Event) -> list[JsonObject]:
        if self.is_over:
            return []
        body = read_json(event.data)
        if not isinstance(body, dict) or is_too_deep(event.data, body):
            raise garbled(self._provider, "with an event that is not a JSON object", 200)
        kind = body.get("type")
        if kind == "error":
            raise late_error(event.data, self._provider, self._key)
        read = self._readers.get(kind) if isinstance(kind, str) else None
        if read is None:
            return []
        if self._id is None and kind != "message_start":
            raise garbled(self._provider, "with a stream that lacks its beginning", 200)
        return read(body)

    def _start(self, body: JsonObject) -> list[JsonObject]:
        message = _mapping(body.get("message"))
        if not isinstance(identity := message.get("id"), str):
            raise garbled(self._provider, "with a stream that lacks its beginning", 200)
        self._id = identity
        self._note_usage(message)
        return [self._delta({"role": "assistant", "content": "", "refusal": None})]

    def _open_block(self, body: JsonObject) -> list[JsonObject]:
        content = _mapping(body.get("content_block"))
        block = _Block(content, self._calls if is_call(content) else None)
        self._blocks[str(body.get("index"))] = block
        if block.call is None:
            return self._beginning(content)
        if not has_names(content):
            raise garbled(self._provider, "with a tool call that lacks its id or name", 200)
        self._calls += 1
        function = {"name": content["name"], "arguments": ""}
        begun = self._call(block, function, id=content["id"], type="function")
        whole = content.get("input")
        return begun + (self._arguments(block, json_text(whole)) if whole else [])

    def _beginning(self, content: JsonObject) -> list[JsonObject]:
        """What an opening block holds already, which is nothing most of the time."""
        if content.get("type") == "text":
            return self._text(content.get("text"))
        if content.get("type") == "redacted_thinking":
            return [self._delta({"thinking_blocks": [content]})]
        return []

    def _add_to_block(self, body: JsonObject) -> list[JsonObject]:
        block = self._blocks.get(str(body.get("index")))
        delta = _mapping(body.get("delta"))
        kind = delta.get("type")
        if block is None:
            raise garbled(self._provider, "with a part of a block that was not begun", 200)
        if kind == "text_delta":
            return self._text(delta.get("text"))
        if kind == "input_json_delta":
            return self._arguments(block, delta.get("partial_json"))
        if kind == "thinking_delta":
            return self._think(block, delta.get("thinking"))
        if kind == "signature_delta":
            block.content["signature"] = delta.get("signature")
        return []

    def _close_block(self, body: JsonObject) -> list[JsonObject]:
        block = self._blocks.pop(str(body.get("index")), None)
        if block is None:
            return []
        if block.content.get("type") == "thinking":
            return [self._delta({"thinking_blocks": [block.content]})]
        if (block.call is None and not is_answer(block.content)) or block.has_arguments:
            return []
        return self._arguments(block, "{}")  # a call without arguments streams none

    def _note_end(self, body: JsonObject) -> list[JsonObject]:
        self._stop |= _mapping(body.get("delta"))
        self._note_usage(body)
        return []

    def _end(self, _body: JsonObject) -> list[JsonObject]:
        self.is_over = True
        refusal = explanation(self._stop.get("stop_details"))
        reason = finish_reason(
            self._stop.get("stop_reason"),
            calls=self._calls > 0,
            functions=self._options.functions,
        )
        chunks = [self._delta({"refusal": refusal} if refusal else {}, reason)]
        if self._options.include_usage:
            chunks.append(self._chunk([], to_usage(self._usage)))
        return chunks

    def _note_usage(self, body: JsonObject) -> None:
        """The counts of a later event are the whole, but it may leave out those of the input."""
        usage = _mapping(body.get("usage"))
        self._usage |= {name: count for name, count in usage.items() if count is not None}

    def _text(self, text: Any) -> list[JsonObject]:
        return [self._delta({"content": text})] if isinstance(text, str) and text else []

    def _think(self, block: _Block, text: Any) -> list[JsonObject]:
        if not isinstance(text, str) or not text:
            return []
        block.content["thinking"] = str(block.content.get("thinking", "")) + text
        return [self._delta({"reasoning_content": text})]

    def _arguments(self, block: _Block, text: Any) -> list[JsonObject]:
        if not isinstance(text, str) or not text:
            return []
        block.has_arguments = True
        return self._text(text) if block.call is None else self._call(block, {"arguments": text})

    def _call(self, block: _Block, function: JsonObject, **first: str) -> list[JsonObject]:
        if self._options.functions:
            return [self._delta({"function_call": function})] if block.call == 0 else []
        return [self._delta({"tool_calls": [{"index": block.call, **first, "function": function}]})]

    def _delta(self, delta: JsonObject, reason: str | None = None) -> JsonObject:
        return self._chunk(
            [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], None
        )

    def _chunk(self, choices: list[JsonObject], usage: JsonObject | None) -> JsonObject:
        chunk: JsonObject = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._options.created,
            "model": self._options.model,
            "choices": choices,
        }
        return {**chunk, "usage": usage} if self._options.include_usage else chunk


def _mapping(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
