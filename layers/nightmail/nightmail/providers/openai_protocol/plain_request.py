"""Requests in the plainest form of OpenAI's protocol, which every server takes. Pure."""

from __future__ import annotations

from typing import Any

_NO_PARAMETERS = {"type": "object", "properties": {}}
_TEXT_PART = {"type", "text"}


def make_plain(parameters: dict[str, Any]) -> None:
    """Say in `parameters` the same with less: what is nested in them is not changed but replaced.

    A wrong shape is the server's to refuse.
    """
    if isinstance(parameters.get("stop"), str):
        parameters["stop"] = [parameters["stop"]]  # Together's schema
    for name, make in (("messages", _message), ("tools", _tool)):
        if isinstance(parameters.get(name), list):
            parameters[name] = [
                make(entry) if isinstance(entry, dict) else entry for entry in parameters[name]
            ]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Without the role of a developer, and with parts only where not all of them are text."""
    changed: dict[str, Any] = {}
    if message.get("role") == "developer":
        changed["role"] = "system"
    content = message.get("content")
    if isinstance(content, list) and content and all(map(_is_text, content)):
        changed["content"] = "\n".join(part["text"] for part in content)
    return {**message, **changed} if changed else message


def _is_text(part: Any) -> bool:
    """And nothing else: marks of a cache have to stay."""
    return isinstance(part, dict) and part.keys() == _TEXT_PART and isinstance(part["text"], str)


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """With parameters, which Mistral's schema requires and OpenAI's does not."""
    function = tool.get("function")
    if not isinstance(function, dict) or function.get("parameters"):
        return tool
    return {**tool, "function": {**function, "parameters": _NO_PARAMETERS}}
