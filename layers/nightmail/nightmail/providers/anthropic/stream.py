"""Anthropic's stream of events as OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.conversion.stream_reader import StreamReader
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.server_sent_events import Event


@dataclass(slots=True)
class _Block:
    """A content block on its way. `call` is the index among the tool calls, None for none."""

    content: JsonObject
    call: int | None
    has_arguments: bool = False


class MessageReader(StreamReader):
    """Reads one stream; events of a kind that it does not know are passed over, as documented.

    `functions` asks for the `function_call` of old.
    """

    def __init__(self, provider: str, key: str | None, chunks: Chunks, *, functions: bool) -> None:
        super().__init__(provider, key)
        self._chunks = chunks
        self._functions = functions
        self._blocks: dict[str, _Block] = {}
        self._calls = 0
        self._usage: JsonObject = {}
        self._stop: JsonObject = {}
        self._readers: dict[str, Callable[[JsonObject], list[JsonObject]]] = {
            "message_start": self._start,
            "content_block_start": self._open_block,
            "content_block_delta": self._add_to_block,
            "content_block_stop": self._close_block,
            "message_delta": self._note_end,
            "message_stop": self._end,
        }

    def _read(self, event: Event) -> list[JsonObject]:
        body = self._object(event, read_json(event.data))
        kind = body.get("type")
        if kind == "error":
            raise late_error(event.data, self._provider, self._key)
        read = self._readers.get(kind) if isinstance(kind, str) else None
        if read is None:
            return []
        if self._chunks.identity is None and kind != "message_start":
            raise self._garbled("with a stream that lacks its beginning")
        return read(body)

    def _start(self, body: JsonObject) -> list[JsonObject]:
        message = mapping_of(body.get("message"))
        if not isinstance(identity := message.get("id"), str):
            raise self._garbled("with a stream that lacks its beginning")
        self._chunks.identity = identity
        self._note_usage(message)
        return [self._chunks.first()]

    def _open_block(self, body: JsonObject) -> list[JsonObject]:
        content = mapping_of(body.get("content_block"))
        block = _Block(content, self._calls if is_call(content) else None)
        self._blocks[str(body.get("index"))] = block
        if block.call is None:
            return self._beginning(content)
        if not has_names(content):
            raise self._garbled("with a tool call that lacks its id or name")
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
            return [self._chunks.delta({"thinking_blocks": [content]})]
        return []

    def _add_to_block(self, body: JsonObject) -> list[JsonObject]:
        block = self._blocks.get(str(body.get("index")))
        delta = mapping_of(body.get("delta"))
        kind = delta.get("type")
        if block is None:
            raise self._garbled("with a part of a block that was not begun")
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
            return [self._chunks.delta({"thinking_blocks": [block.content]})]
        if (block.call is None and not is_answer(block.content)) or block.has_arguments:
            return []
        return self._arguments(block, "{}")  # a call without arguments streams none

    def _note_end(self, body: JsonObject) -> list[JsonObject]:
        self._stop |= mapping_of(body.get("delta"))
        self._note_usage(body)
        return []

    def _end(self, _body: JsonObject) -> list[JsonObject]:
        self.is_over = True
        refusal = explanation(self._stop.get("stop_details"))
        reason = finish_reason(
            self._stop.get("stop_reason"),
            calls=self._calls > 0,
            functions=self._functions,
        )
        last = self._chunks.delta({"refusal": refusal} if refusal else {}, reason)
        return [last, *self._chunks.usage(to_usage(self._usage))]

    def _note_usage(self, body: JsonObject) -> None:
        """The counts of a later event are the whole, but it may leave out those of the input."""
        usage = mapping_of(body.get("usage"))
        self._usage |= {name: count for name, count in usage.items() if count is not None}

    def _text(self, text: Any) -> list[JsonObject]:
        return [self._chunks.delta({"content": text})] if isinstance(text, str) and text else []

    def _think(self, block: _Block, text: Any) -> list[JsonObject]:
        if not isinstance(text, str) or not text:
            return []
        block.content["thinking"] = str(block.content.get("thinking", "")) + text
        return [self._chunks.delta({"reasoning_content": text})]

    def _arguments(self, block: _Block, text: Any) -> list[JsonObject]:
        if not isinstance(text, str) or not text:
            return []
        block.has_arguments = True
        return self._text(text) if block.call is None else self._call(block, {"arguments": text})

    def _call(self, block: _Block, function: JsonObject, **first: str) -> list[JsonObject]:
        if block.call is None:
            return []
        if self._functions:
            return [self._chunks.delta({"function_call": function})] if block.call == 0 else []
        return [self._chunks.call(block.call, function, **first)]
