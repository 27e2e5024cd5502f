"""Messages: one prompt is a list of messages, many prompts are a list of such lists."""

from __future__ import annotations

from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.modes.asked import Item
from nightmail.modes.fields import check_drop_params, refuse_credentials, refuse_shared
from nightmail.parameters import required, string, wrong_type
from nightmail.providers.direct import JsonObject

_LONGEST_ID = 512
_ONE = '[{"role": "user", "content": "..."}]'
_EACH = f'[{_ONE}, ...] or [{{"messages": {_ONE}, "custom_id": "..."}}, ...]'


def is_nested(messages: Any) -> bool:
    """Whether these are many prompts: one list among them is enough to mean it."""
    return isinstance(messages, list) and any(isinstance(entry, list) for entry in messages)


def check_prompt(messages: Any, path: str = "messages") -> list[Any]:
    """One prompt's messages. Raises InvalidRequest."""
    if not isinstance(messages, list):
        raise wrong_type(messages, path, f"a list of messages such as {_ONE}")
    if is_nested(messages):
        raise _wrong_shape(path, f"one list of messages, {_ONE}, but got a list of lists")
    if not messages:
        raise _empty(path, "a message", _ONE)
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise wrong_type(message, f"{path}[{index}]", "an object, which is a message")
        if "role" not in message:
            required(message, "role", f"{path}[{index}].role")
    return messages


def check_prompts(messages: list[Any]) -> list[list[Any]]:
    """Many prompts, all of them lists. Raises InvalidRequest."""
    return [check_prompt(entry, f"messages[{index}]") for index, entry in enumerate(messages)]


def read_items(messages: Any, shared: JsonObject) -> list[Item]:
    """Many prompts, each a list of messages or an object; `shared` are the parameters of all.

    Raises InvalidRequest, also for a `custom_id` that comes twice: batches know requests by it.
    """
    if not isinstance(messages, list):
        raise wrong_type(messages, "messages", f"a list of lists of messages, {_EACH}")
    if not messages:
        raise _empty("messages", "a prompt", _EACH)
    items = [_item(entry, index, shared) for index, entry in enumerate(messages)]
    if len({item.custom_id for item in items}) < len(items):
        raise _repeated(items)
    return items


def _item(entry: Any, index: int, shared: JsonObject) -> Item:
    path = f"messages[{index}]"
    default_id = f"request-{index + 1}"
    if isinstance(entry, list):
        return Item(default_id, {**shared, "messages": check_prompt(entry, path)})
    if not isinstance(entry, dict):
        raise wrong_type(entry, path, f"a list of messages, as in {_EACH}")
    if "messages" not in entry:
        raise _wrong_shape("messages", f"a list of lists of messages, {_EACH}, but got a flat list")
    return _own_item(dict(entry), default_id, path, shared)


def _own_item(own: JsonObject, default_id: str, path: str, shared: JsonObject) -> Item:
    messages = check_prompt(own.pop("messages"), f"{path}.messages")
    custom_id = own.pop("custom_id", None)
    refuse_credentials(own, f"{path}.")
    refuse_shared(own, f"{path}.")
    check_drop_params(own, f"{path}.")
    if custom_id is None:
        custom_id = default_id
    elif not string(custom_id, f"{path}.custom_id", _LONGEST_ID):
        raise _empty(f"{path}.custom_id", "a character", '"request-1"')
    return Item(custom_id, {**shared, **own, "messages": messages})


def _repeated(items: list[Item]) -> InvalidRequest:
    first = {item.custom_id: index for index, item in reversed(list(enumerate(items)))}
    index = next(index for index, item in enumerate(items) if first[item.custom_id] < index)
    return InvalidRequest(
        f"Invalid 'messages[{index}].custom_id': each prompt needs a custom_id of its own, and "
        f"'{items[index].custom_id}' was there before.",
        param=f"messages[{index}].custom_id",
        code="duplicate_custom_id",
    )


def _wrong_shape(path: str, expected: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid type for '{path}': expected {expected}.", param=path, code="invalid_type"
    )


def _empty(path: str, least: str, example: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{path}': it is empty. Expected at least {least}, such as {example}.",
        param=path,
        code="empty_array",
    )
