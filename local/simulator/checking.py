"""Requests held against a provider's shapes, which are pydantic models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

Json = dict[str, Any]
# The default of a field that may be left out, but must not be null.
ABSENT: Any = None


class Shape(BaseModel):
    """A part of a request: no other fields than these, and no guessing at types."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The first thing that is wrong with a body: where, pydantic's word for it, and its sentence."""

    path: tuple[str | int, ...]
    kind: str
    message: str
    given: Any
    context: Json


def first_wrong(shape: type[BaseModel], body: Json, *, lenient: bool = False) -> Wrong | None:
    """`lenient` lets fields pass that are in no shape."""
    try:
        shape.model_validate(body)
    except ValidationError as error:
        found = [_wrong(one, body) for one in error.errors(include_url=False)]
        kept = [one for one in found if not (lenient and one.kind == "extra_forbidden")]
        return _deepest(kept) if kept else None
    return None


def _deepest(found: list[Wrong]) -> Wrong:
    """What fits none of several shapes is told by the one that it came nearest to."""
    start = found[0].path[:2]
    same = (one for one in found if one.path[: len(start)] == start)
    return max(same, key=lambda one: len(one.path))


def _wrong(error: Any, body: Json) -> Wrong:
    context = {name: value for name, value in error.get("ctx", {}).items() if name != "error"}
    path = _path(error["loc"], error["type"], body)
    return Wrong(path, error["type"], error["msg"], error["input"], context)


def _path(location: tuple[str | int, ...], kind: str, body: Any) -> tuple[str | int, ...]:
    """A location without pydantic's names of the shapes that it tried on the way."""
    steps: list[str | int] = []
    for number, step in enumerate(location, start=1):
        is_there = isinstance(body, dict) and step in body
        is_item = isinstance(body, list) and isinstance(step, int)
        if is_there or is_item:
            body = cast("Any", body)[step]
        elif not (kind == "missing" and number == len(location)):
            continue
        steps.append(step)
    return tuple(steps)
