"""JSON objects whose fields are attributes too.

Whatever a server sends is kept as it came; nothing is refused for its form. A declared field that did
not come is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import orjson

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
