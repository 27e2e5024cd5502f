"""What Cohere refuses. The wrongs that no shape tells are rules of their own."""

from __future__ import annotations

from collections.abc import Iterator

from local.simulator.checking import Json, Shape, Wrong, first_wrong
from local.simulator.cohere.shapes import ChatRequest, EmbedRequest
from local.simulator.errors import ApiError

_REQUESTS: dict[str, type[Shape]] = {"/chat": ChatRequest, "/embed": EmbedRequest}


def check(path: str, body: Json) -> None:
    """Raises ApiError: a 422 for a field that does not exist, a 400 for all else."""
    if wrong := first_wrong(_REQUESTS[path], body):
        raise _refusal(wrong)
    rules = _broken_chat_rules if path == "/chat" else _broken_embed_rules
    for message in rules(body):
        raise ApiError(400, f"invalid request: {message}")


def _refusal(wrong: Wrong) -> ApiError:
    name = ".".join(str(step) for step in wrong.path)
    if wrong.kind == "extra_forbidden":
        return ApiError(422, f"unknown field: parameter '{name}' is not a valid field")
    if wrong.kind == "missing":
        return ApiError(400, f"invalid request: {name} is required")
    return ApiError(400, f"invalid request: {name}: {wrong.message}")


def _broken_chat_rules(body: Json) -> Iterator[str]:
    tools = body.get("tools")
    if body.get("tool_choice") and not tools:
        yield "tool_choice may only be specified with tools"
    form = body.get("response_format") or {}
    if form.get("type") == "json_object" and (tools or body.get("documents")):
        yield "response_format is not supported with tools or documents"
    if form.get("type") == "text" and form.get("json_schema"):
        yield "json_schema needs a response_format of type json_object"
    if body["messages"][-1]["role"] not in ("user", "tool"):
        yield "the last message must be from the user, or the result of a tool"
    yield from _unanswered_calls(body["messages"])


def _unanswered_calls(messages: list[Json]) -> Iterator[str]:
    """Every call of a tool has its result right behind it, and no result is without a call."""
    open_ids: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                yield f"messages.{number}: tool_call_id matches no call of the message before"
            open_ids.discard(message["tool_call_id"])
            continue
        if open_ids:
            yield f"messages.{number}: results are missing for the calls {sorted(open_ids)}"
        open_ids = {call["id"] for call in message.get("tool_calls") or []}
        if message["role"] == "assistant" and not (message.get("content") or open_ids):
            yield f"messages.{number}: an assistant message needs content or tool_calls"
        if message["role"] == "user" and not message["content"]:
            yield f"messages.{number}: message must be at least 1 token long"
    if open_ids:
        yield f"results are missing for the calls {sorted(open_ids)}"


def _broken_embed_rules(body: Json) -> Iterator[str]:
    given = [name for name in ("texts", "images", "inputs") if body.get(name)]
    if len(given) != 1:
        yield "give exactly one of texts, images and inputs"
