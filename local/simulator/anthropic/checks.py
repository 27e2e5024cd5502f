"""What Anthropic refuses. The wrongs that no shape tells are rules of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local.simulator.anthropic.shapes import MessagesRequest
from local.simulator.checking import Json, Wrong, first_wrong
from local.simulator.dialect import Headers
from local.simulator.errors import ApiError

VERSIONS = ("2023-06-01", "2026-10-21")
_SAMPLING = ("temperature", "top_p", "top_k")
# Models after Opus 4.6 have their sampling fixed.
_FIXED_SAMPLING = re.compile(r"opus-4-[7-9]|(opus|sonnet|haiku|fable)-5")
_LEAST_TOP_P = 0.99
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_UNSUPPORTED = frozenset(
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "patternProperties",
        "if",
        "then",
        "else",
        "not",
        "oneOf",
    ]
)
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("items", "anyOf", "allOf")
_SENTENCES = {
    "missing": "Field required",
    "extra_forbidden": "Extra inputs are not permitted",
}


def version_of(headers: Headers) -> str:
    """Raises ApiError, a 400, where the header is missing or has no version that there is."""
    version = headers.get(b"anthropic-version", b"").decode("latin-1")
    if not version:
        raise ApiError(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise ApiError(400, f'anthropic-version: "{version}" is not a valid version')
    return version


def check_batched(body: Json) -> None:
    """Raises ApiError, a 400, for what a request may not have in a batch.

    https://docs.claude.com/en/docs/build-with-claude/batch-processing
    """
    if body.get("stream"):
        raise ApiError(400, "stream: streaming is not supported in a batch")
    if body.get("max_tokens") == 0:
        raise ApiError(400, "max_tokens: must be at least 1 in a batch")


def check(version: str, body: Json) -> None:
    """Raises ApiError, a 400."""
    for message in _broken_rules(version, body):
        raise ApiError(400, message)


def _broken_rules(version: str, body: Json) -> Iterator[str]:
    if version != VERSIONS[0]:
        yield from (f"{name}: Extra inputs are not permitted" for name in _SAMPLING if name in body)
    if wrong := first_wrong(MessagesRequest, body):
        yield sentence(wrong)
    yield from _sampling_rules(body)
    yield from _thinking_rules(body)
    yield from _tool_rules(body)
    yield from _text_rules(body)
    yield from _turn_rules(version, body)
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    if schema is not None:
        yield from _schema_rules(schema)


def sentence(wrong: Wrong) -> str:
    path = ".".join(str(step) for step in wrong.path)
    return f"{path}: {_SENTENCES.get(wrong.kind, wrong.message)}"


def _sampling_rules(body: Json) -> Iterator[str]:
    if not _FIXED_SAMPLING.search(body["model"]):
        return
    if body.get("temperature") not in (None, 1):
        yield "temperature: may only be set to 1 with this model"
    if body.get("top_p") is not None and body["top_p"] < _LEAST_TOP_P:
        yield f"top_p: must be at least {_LEAST_TOP_P} with this model"
    if body.get("top_k") is not None:
        yield "top_k: is not supported by this model"


def _thinking_rules(body: Json) -> Iterator[str]:
    thinking, choice = body.get("thinking") or {}, body.get("tool_choice") or {}
    if thinking.get("type") not in ("enabled", "adaptive"):
        return
    if thinking.get("budget_tokens", 0) >= body["max_tokens"]:
        yield "max_tokens: must be greater than thinking.budget_tokens"
    if body.get("temperature") not in (None, 1):
        yield "temperature: may only be set to 1 when thinking is enabled"
    if choice.get("type") in ("any", "tool"):
        yield "tool_choice: thinking may not be enabled when tool_choice forces tool use"


def _tool_rules(body: Json) -> Iterator[str]:
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    names = [tool["name"] for tool in tools]
    if len(names) > len(set(names)):
        yield "tools: Tool names must be unique"
    if choice and not tools:
        yield "tool_choice: may only be specified while providing tools"
    if choice and choice["type"] == "tool" and choice["name"] not in names:
        yield f"tool_choice: Tool '{choice['name']}' not found in provided tools"
    blocks = (block for message in body["messages"] for block in blocks_of(message))
    if not tools and any(block["type"] in ("tool_use", "tool_result") for block in blocks):
        yield "Requests which have `tool_use` or `tool_result` blocks in `messages` must define `tools`"


def _text_rules(body: Json) -> Iterator[str]:
    for number, stop in enumerate(body.get("stop_sequences") or []):
        if not stop.strip():
            yield f"stop_sequences.{number}: each stop sequence must contain non-whitespace"
    if _MAIL.search((body.get("metadata") or {}).get("user_id") or ""):
        yield "metadata.user_id: user_id appears to contain an email address"
    last = blocks_of(body["messages"][-1])
    if body["messages"][-1]["role"] == "assistant" and last and last[-1]["type"] == "text":
        text = last[-1]["text"]
        if text != text.rstrip():
            yield "messages: final assistant content cannot end with trailing whitespace"


def _turn_rules(version: str, body: Json) -> Iterator[str]:
    messages = body["messages"]
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    for number, message in enumerate(messages):
        if not message["content"]:
            yield f"messages.{number}: all messages must have non-empty content"
        is_new = version != VERSIONS[0] and message["role"] == "assistant"
        if is_new and any(block["type"] == "document" for block in blocks_of(message)):
            yield f"messages.{number}: document blocks are not permitted in assistant messages"
    yield from _unanswered_uses(_merged(messages))


def _unanswered_uses(turns: list[list[Json]]) -> Iterator[str]:
    """Every use of a tool has its result at the beginning of the next turn, and no result is alone."""
    uses: set[str] = set()
    for blocks in turns:
        kinds = [block["type"] == "tool_result" for block in blocks]
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if missing := uses - results:
            listed = ", ".join(sorted(missing))
            yield f"`tool_use` ids were found without `tool_result` blocks immediately after: {listed}"
        if alone := results - uses:
            listed = ", ".join(sorted(alone))
            yield f"unexpected `tool_use_id` found in `tool_result` blocks: {listed}"
        if kinds != sorted(kinds, reverse=True):
            yield "`tool_result` blocks must come before all other content of their message"
        uses = {block["id"] for block in blocks if block["type"] == "tool_use"}
    if uses:
        listed = ", ".join(sorted(uses))
        yield f"`tool_use` ids were found without `tool_result` blocks immediately after: {listed}"


def _schema_rules(schema: Any) -> Iterator[str]:
    """Structured outputs take a part of JSON Schema only."""
    if isinstance(schema, dict):
        yield from _broken_object_rules(schema)
    inner = schema if isinstance(schema, list) else _inner(schema)
    for one in inner:
        yield from _schema_rules(one)


def _broken_object_rules(schema: Json) -> Iterator[str]:
    if unsupported := _UNSUPPORTED & schema.keys():
        yield f"output_config.format.schema: {min(unsupported)} is not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield "output_config.format.schema: additionalProperties must be false for objects"


def _inner(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        return []
    named = [inner for name in _MAPS for inner in (schema.get(name) or {}).values()]
    return [*named, *(schema[name] for name in _LISTS if name in schema)]


def blocks_of(message: Json) -> list[Json]:
    """The content of a message; a string is short for one block of text."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _merged(messages: list[Json]) -> list[list[Json]]:
    """The blocks of each turn: neighbours of the same role are one."""
    turns: list[list[Json]] = []
    role = None
    for message in messages:
        if message["role"] != role:
            turns.append([])
        role = message["role"]
        turns[-1].extend(blocks_of(message))
    return turns
