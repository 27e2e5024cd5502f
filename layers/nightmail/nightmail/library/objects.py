"""What the functions answer: JSON objects of OpenAI's API whose fields are attributes too.

`response.choices[0].message.content`, `response["choices"]` and `response.get("choices")` are the same
thing, and a message of an answer can be a message of the next request. Whatever a server sends is
kept as it came; nothing is refused for its form. A declared field that did not come is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import orjson

__all__ = [
    "Batch",
    "BatchPage",
    "EmbeddingResponse",
    "FileDeleted",
    "FileObject",
    "FilePage",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "Object",
    "Outcome",
    "ToolCall",
    "Usage",
]

_Value = TypeVar("_Value")


class Object(dict[str, Any]):
    """One object; those within it become objects when they are looked at."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in _classes(type(self)):
            return None
        raise AttributeError(f"{type(self).__name__} has no field '{name}'.", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if type(value) is dict or type(value) is list:
            value = _looked_at(value, _classes(type(self)).get(name, Object))
            super().__setitem__(name, value)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or `default` where the answer has none of this name."""
        if name not in self:
            return default
        return self[name]

    def __dir__(self) -> Iterable[str]:
        return {*super().__dir__(), *self, *_classes(type(self))}

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{type(self).__name__}({fields})"

    def model_dump(self, *, exclude_none: bool = False, **_: Any) -> dict[str, Any]:
        """Plain dictionaries and lists: the fields that the answer has."""
        plain: dict[str, Any] = orjson.loads(orjson.dumps(self))
        return _without_none(plain) if exclude_none else plain

    def model_dump_json(self, *, indent: int | None = None, **_: Any) -> str:
        """The same as JSON; an `indent` of any size is two spaces."""
        return orjson.dumps(self, option=orjson.OPT_INDENT_2 if indent else None).decode()

    to_dict = model_dump
    json = to_json = model_dump_json


class _List(list[Any]):
    """A list whose entries have been looked at."""

    __slots__ = ()


def _looked_at(value: Any, kind: type[Object]) -> Any:
    if type(value) is dict:
        return kind(value)
    if type(value) is list:
        return _List(_looked_at(entry, kind) for entry in value)
    return value


def _without_none(value: _Value) -> _Value:
    found: Any = value
    if isinstance(value, dict):
        found = {name: _without_none(entry) for name, entry in value.items() if entry is not None}
    elif isinstance(value, list):
        found = [_without_none(entry) for entry in value]
    kept: _Value = found
    return kept


@cache
def _classes(kind: type[Object]) -> dict[str, type[Object]]:
    """The declared fields, each with the class of the objects in it."""
    hints = get_type_hints(kind)
    return {name: _class_in(hint) or Object for name, hint in hints.items() if name[0] != "_"}


def _class_in(hint: Any) -> type[Object] | None:
    if isinstance(hint, type) and issubclass(hint, Object):
        return hint
    return next(filter(None, map(_class_in, get_args(hint))), None)


class Function(Object):
    name: str
    arguments: str


class ToolCall(Object):
    id: str
    type: str
    function: Function


class Message(Object):
    role: str
    content: str | None
    tool_calls: list[ToolCall] | None
    function_call: Function | None
    reasoning_content: str | None
    refusal: str | None


class Choice(Object):
    index: int
    message: Message
    finish_reason: str | None
    logprobs: Object | None


class Usage(Object):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Object | None
    completion_tokens_details: Object | None


class ModelResponse(Object):
    """A chat completion. `nightmail` tells the provider, and its own name of the model."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    nightmail: Object


class ChunkChoice(Object):
    index: int
    delta: Message
    finish_reason: str | None


class ModelResponseStream(Object):
    """One chunk of a streamed chat completion."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None


class Embedding(Object):
    index: int
    object: str
    embedding: list[float]


class EmbeddingResponse(Object):
    object: str
    model: str
    data: list[Embedding]
    usage: Usage


class RequestCounts(Object):
    total: int
    completed: int
    failed: int


class Batch(Object):
    """A batch of requests, as OpenAI's API tells of it. Times are Unix seconds."""

    id: str
    object: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    errors: Object | None
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    expires_at: int | None
    completed_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None


class BatchPage(Object):
    """One page of batches, newest first; the last one's id is `after` for the next page."""

    object: str
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


class OutcomeResponse(Object):
    status_code: int
    request_id: str | None
    body: Object


class Outcome(Object):
    """What became of one request of a batch: a line of its output or error file."""

    id: str
    custom_id: str
    response: OutcomeResponse | None
    error: Object | None


class FileObject(Object):
    id: str
    object: str
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: str


class FileDeleted(Object):
    id: str
    object: str
    deleted: bool


class FilePage(Object):
    """One page of files; the last one's id is `after` for the next page."""

    object: str
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
