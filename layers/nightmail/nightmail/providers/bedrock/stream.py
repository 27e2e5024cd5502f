"""ConverseStream's events as OpenAI's chunks.

Source: botocore's service model `bedrock-runtime`, ConverseStreamOutput.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nightmail.providers.bedrock.answer import (
    finish_reason,
    has_names,
    is_malformed,
    redacted,
    to_usage,
)
from nightmail.providers.bedrock.errors import stream_error
from nightmail.providers.bedrock.event_stream import EventStreamSplitter
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.conversion.stream_reader import StreamReader
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.server_sent_events import Event


@dataclass(slots=True)
class _Block:
    """A content block on its way. `call` is the index among the tool calls, None for none."""

    call: int | None = None
    has_arguments: bool = False
    thought: JsonObject | None = None


class ConverseReader(StreamReader):
    """Reads one stream. It ends with the usage, which comes behind the reason of the end."""

    def __init__(self, provider: str, key: str | None, chunks: Chunks) -> None:
        super().__init__(provider, key, EventStreamSplitter(provider))
        self._chunks = chunks
        self._has_begun = False
        self._blocks: dict[str, _Block] = {}
        self._calls = 0
        self._readers: dict[str, Callable[[JsonObject], list[JsonObject]]] = {
            "messageStart": self._start,
            "contentBlockStart": self._open_block,
            "contentBlockDelta": self._add_to_block,
            "contentBlockStop": self._close_block,
            "messageStop": self._stop,
            "metadata": self._end,
        }

    def _read(self, event: Event) -> list[JsonObject]:
        read = self._readers.get(event.name)
        if read is None and event.name.lower().endswith(("exception", "error")):
            raise stream_error(event.name, event.data, self._provider, self._key)
        body = self._object(event, read_json(event.data))
        if read is None:  # a kind that there was not yet
            return []
        if not self._has_begun and event.name != "messageStart":
            raise self._garbled("with a stream that lacks its beginning")
        return read(body)

    def _start(self, _body: JsonObject) -> list[JsonObject]:
        self._has_begun = True
        return [self._chunks.first()]

    def _open_block(self, body: JsonObject) -> list[JsonObject]:
        block = self._block(body)
        start = mapping_of(body.get("start"))
        if "toolUse" not in start:
            return []
        call = mapping_of(start["toolUse"])
        if not has_names(call):
            raise self._garbled("with a tool call that lacks its id or name")
        block.call = self._calls
        self._calls += 1
        function = {"name": call["name"], "arguments": ""}
        return [self._chunks.call(block.call, function, id=call["toolUseId"], type="function")]

    def _block(self, body: JsonObject) -> _Block:
        """A block of text is begun without an event of its own."""
        return self._blocks.setdefault(str(body.get("contentBlockIndex")), _Block())

    def _add_to_block(self, body: JsonObject) -> list[JsonObject]:
        block, delta = self._block(body), mapping_of(body.get("delta"))
        if isinstance(text := delta.get("text"), str) and text:
            return [self._chunks.delta({"content": text})]
        if "toolUse" in delta:
            return self._arguments(block, mapping_of(delta["toolUse"]).get("input"))
        return self._think(block, mapping_of(delta.get("reasoningContent")))

    def _arguments(self, block: _Block, text: Any) -> list[JsonObject]:
        if block.call is None:
            raise self._garbled("with a part of a tool call that was not begun")
        if not isinstance(text, str) or not text:
            return []
        block.has_arguments = True
        return [self._chunks.call(block.call, {"arguments": text})]

    def _think(self, block: _Block, delta: JsonObject) -> list[JsonObject]:
        if "redactedContent" in delta:
            return [self._chunks.delta({"thinking_blocks": [redacted(delta["redactedContent"])]})]
        block.thought = block.thought or {"type": "thinking", "thinking": ""}
        if isinstance(signature := delta.get("signature"), str):
            block.thought["signature"] = signature
        text = delta.get("text")
        if not isinstance(text, str) or not text:
            return []
        block.thought["thinking"] += text
        return [self._chunks.delta({"reasoning_content": text})]

    def _close_block(self, body: JsonObject) -> list[JsonObject]:
        block = self._blocks.pop(str(body.get("contentBlockIndex")), _Block())
        if block.thought and block.thought["thinking"]:
            return [self._chunks.delta({"thinking_blocks": [block.thought]})]
        if block.call is None or block.has_arguments:
            return []
        return self._arguments(block, "{}")  # a call without arguments streams none

    def _stop(self, body: JsonObject) -> list[JsonObject]:
        reason = body.get("stopReason")
        if is_malformed(reason):
            raise self._garbled("with an answer that its model spoiled")
        return [self._chunks.delta({}, finish_reason(reason))]

    def _end(self, body: JsonObject) -> list[JsonObject]:
        self.is_over = True
        return self._chunks.usage(to_usage(body.get("usage")))
