"""OpenAI's messages as Cohere's (https://docs.cohere.com/reference/chat, `messages`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nightmail.providers.cohere.fields import list_of, object_of, text_of, word_of
from nightmail.providers.direct import JsonObject

_SYSTEM = ("system", "developer")
_BETWEEN_SYSTEM_TEXTS = "\n\n"


def to_messages(messages: Any) -> list[JsonObject]:
    """All of them, system prompts as one in front: Cohere answers 400 to one that comes later.

    `name` has no counterpart and is left out. Raises InvalidRequest that names the field.
    """
    system: list[str] = []
    turns: list[JsonObject] = []
    for index, entry in enumerate(list_of(messages, "messages")):
        place = f"messages[{index}]"
        message = object_of(entry, place)
        role = word_of(message.get("role"), f"{place}.role", (*_SYSTEM, *_TURNS))
        if role in _SYSTEM:
            system += _texts(message.get("content"), f"{place}.content")
        else:
            turns.append(_TURNS[role](message, place))
    prompt = _BETWEEN_SYSTEM_TEXTS.join(filter(None, system))
    return [{"role": "system", "content": prompt}, *turns] if prompt else turns


def _user(message: JsonObject, place: str) -> JsonObject:
    content = _content(message.get("content"), f"{place}.content", _USER_PARTS)
    return {"role": "user", "content": content}


def _tool(message: JsonObject, place: str) -> JsonObject:
    return {
        "role": "tool",
        "tool_call_id": text_of(message.get("tool_call_id"), f"{place}.tool_call_id"),
        "content": _content(message.get("content"), f"{place}.content", _TOOL_PARTS),
    }


def _assistant(message: JsonObject, place: str) -> JsonObject:
    """The plan that came with tool calls goes back with them; other reasoning stays with the caller."""
    turn: JsonObject = {"role": "assistant"}
    calls = list_of(message.get("tool_calls") or [], f"{place}.tool_calls")
    if message.get("content") is not None or not calls:
        content = message.get("content") or ""
        turn["content"] = _content(content, f"{place}.content", _ASSISTANT_PARTS)
    if calls:
        turn["tool_calls"] = [
            _call(call, f"{place}.tool_calls[{index}]") for index, call in enumerate(calls)
        ]
        if plan := message.get("reasoning_content"):
            turn["tool_plan"] = text_of(plan, f"{place}.reasoning_content")
    return turn


def _call(entry: Any, place: str) -> JsonObject:
    call = object_of(entry, place)
    function = object_of(call.get("function"), f"{place}.function")
    return {
        "id": text_of(call.get("id"), f"{place}.id"),
        "type": "function",
        "function": {
            "name": text_of(function.get("name"), f"{place}.function.name"),
            "arguments": text_of(function.get("arguments") or "{}", f"{place}.function.arguments"),
        },
    }


def _texts(content: Any, place: str) -> list[str]:
    parts = _content(content, place, _SYSTEM_PARTS)
    return [parts] if isinstance(parts, str) else [part["text"] for part in parts]


def _content(content: Any, place: str, kinds: Mapping[str, _Part]) -> str | list[JsonObject]:
    if isinstance(content, str):
        return content
    return [
        _part(part, f"{place}[{index}]", kinds)
        for index, part in enumerate(list_of(content, place, "a string or an array"))
    ]


def _part(entry: Any, place: str, kinds: Mapping[str, _Part]) -> JsonObject:
    part = object_of(entry, place)
    kind = word_of(part.get("type"), f"{place}.type", kinds)
    return kinds[kind](part, place)


def _text(part: JsonObject, place: str) -> JsonObject:
    return {"type": "text", "text": text_of(part.get("text"), f"{place}.text")}


def _refusal(part: JsonObject, place: str) -> JsonObject:
    return {"type": "text", "text": text_of(part.get("refusal"), f"{place}.refusal")}


def _image(part: JsonObject, place: str) -> JsonObject:
    """By data URL or web URL; `detail` has OpenAI's words."""
    image = object_of(part.get("image_url"), f"{place}.image_url")
    url = text_of(image.get("url"), f"{place}.image_url.url")
    detail = {"detail": image["detail"]} if image.get("detail") is not None else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def _document(part: JsonObject, place: str) -> JsonObject:
    return {"type": "document", "document": object_of(part.get("document"), f"{place}.document")}


_Part = Callable[[JsonObject, str], JsonObject]

_SYSTEM_PARTS: dict[str, _Part] = {"text": _text}
_USER_PARTS: dict[str, _Part] = {"text": _text, "image_url": _image}
_ASSISTANT_PARTS: dict[str, _Part] = {"text": _text, "refusal": _refusal}
_TOOL_PARTS: dict[str, _Part] = {"text": _text, "document": _document}
_TURNS = {"user": _user, "assistant": _assistant, "tool": _tool}
