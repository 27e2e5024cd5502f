"""What a new batch is asked to be: the body of `POST /batches`, and the settings of a dropped file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast, get_args

from nightmail.batch import Batch, InboxOrigin, OnDeadline
from nightmail.endpoints import ENDPOINTS
from nightmail.errors import InvalidRequest
from nightmail.file import ExpiresAfter
from nightmail.new_file import expires_after
from nightmail.parameters import (
    boolean,
    boolean_text,
    extensions,
    mapping,
    one_of,
    required,
    string,
    unknown_parameter,
    wrong_type,
)

WINDOW_PATTERN = "[1-9][0-9]{0,2}[hd]"
DEFAULT_WINDOW = "24h"
DRY_RUN_SECONDS = 24 * 3600  # for so long a dry run is kept
_UNIT_SECONDS = {"h": 3600, "d": 24 * 3600}
_LONGEST_WINDOW = 7 * 24 * 3600
_CHANGEABLE = ("completion_window", "metadata", "nightmail")
_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_LONGEST_NAME = 250  # of a file or a model; as UTF-8 it still fits into a key of the table


@dataclass(frozen=True)
class Extensions:
    """The fields of `nightmail`. None is what the config says."""

    strict: bool | None = None
    on_deadline: OnDeadline | None = None
    dry_run: bool = False


_EXTENSIONS = tuple(field.name for field in fields(Extensions))


@dataclass(frozen=True)
class NewBatch:
    """A checked request for a batch."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None
    output_expires_after: ExpiresAfter | None
    deployment_hint: str | None
    extensions: Extensions

    def batch(
        self, batch_id: str, owner: str, now: int, *, inbox: InboxOrigin | None = None
    ) -> Batch:
        """The batch as it begins, at Unix second `now`."""
        return Batch(
            id=batch_id,
            owner=owner,
            endpoint=self.endpoint,
            completion_window=self.completion_window,
            input_file_id=self.input_file_id,
            created_at=now,
            expires_at=now + window_seconds(self.completion_window),
            metadata=self.metadata,
            output_expires_after=self.output_expires_after,
            deployment_hint=self.deployment_hint,
            strict=self.extensions.strict,
            on_deadline=self.extensions.on_deadline,
            dry_run=self.extensions.dry_run,
            delete_at=now + DRY_RUN_SECONDS if self.extensions.dry_run else None,
            inbox=inbox,
        )


def parse_new_batch(body: Mapping[str, Any]) -> NewBatch:
    """Check the JSON body of OpenAI's `POST /batches`; fields that nobody knows are ignored.

    Raises InvalidRequest naming the first wrong field, or one of ours that stands in the wrong place: a
    dry run that is none costs money.
    """
    for name in filter(body.__contains__, _EXTENSIONS):
        raise InvalidRequest(
            f"Unknown parameter: '{name}'. It belongs into the object 'nightmail': 'nightmail.{name}'.",
            param=name,
            code="unknown_parameter",
        )
    input_file_id = required(body, "input_file_id", "input_file_id")
    endpoint = required(body, "endpoint", "endpoint")
    window = required(body, "completion_window", "completion_window")
    return NewBatch(
        input_file_id=string(input_file_id, "input_file_id", _LONGEST_NAME),
        endpoint=one_of(endpoint, "endpoint", ENDPOINTS),
        completion_window=_window(window),
        metadata=_metadata(body.get("metadata")),
        output_expires_after=expires_after(
            body.get("output_expires_after"), "output_expires_after"
        ),
        deployment_hint=_hint(body.get("model")),
        extensions=_asked(body),
    )


def parse_retry(body: Mapping[str, Any], parent: Batch) -> NewBatch:
    """Check the JSON body of `POST /batches/{id}/retry`: what shall not be as it was with `parent`.

    Raises InvalidRequest naming the first wrong field.
    """
    for name in body:
        if name not in _CHANGEABLE:
            raise unknown_parameter(name[:_LONGEST_KEY])
    given = _asked(body)
    return NewBatch(
        input_file_id=parent.input_file_id,
        endpoint=parent.endpoint,
        completion_window=_window(body.get("completion_window", parent.completion_window)),
        metadata=_metadata(body.get("metadata", parent.metadata)),
        output_expires_after=parent.output_expires_after,
        deployment_hint=parent.deployment_hint,
        extensions=replace(
            given,
            strict=parent.strict if given.strict is None else given.strict,
            on_deadline=given.on_deadline or parent.on_deadline,
        ),
    )


def window_seconds(window: str) -> int:
    """How long a completion window is; 0 for what is none."""
    if not re.fullmatch(WINDOW_PATTERN, window):
        return 0
    seconds = int(window[:-1]) * _UNIT_SECONDS[window[-1]]
    return seconds if seconds <= _LONGEST_WINDOW else 0


def _window(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, "completion_window", "a string")
    if not window_seconds(value):
        raise InvalidRequest(
            f"Invalid value: '{value[:200]}'. Supported values are: '24h', and any other number of "
            "hours from '1h' to '168h' or of days from '1d' to '7d'.",
            param="completion_window",
            code="invalid_value",
        )
    return value


def _asked(body: Mapping[str, Any]) -> Extensions:
    """From the object of extensions; without one from the metadata, which every client can send."""
    if body.get("nightmail") is not None:
        return _read(extensions(body["nightmail"], _EXTENSIONS), "nightmail", boolean)
    return _read(body.get("metadata") or {}, "metadata", boolean_text)


def _read(given: Mapping[str, Any], where: str, flag: Callable[[Any, str], bool]) -> Extensions:
    """Null is as good as nothing."""
    strict, on_deadline, dry_run = map(given.get, ("strict", "on_deadline", "dry_run"))
    return Extensions(
        strict=None if strict is None else flag(strict, f"{where}.strict"),
        on_deadline=None if on_deadline is None else _deadline(on_deadline, f"{where}.on_deadline"),
        dry_run=dry_run is not None and flag(dry_run, f"{where}.dry_run"),
    )


def _deadline(value: Any, param: str) -> OnDeadline:
    return cast(OnDeadline, one_of(value, param, get_args(OnDeadline)))


def _metadata(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    pairs = mapping(value, "metadata")
    if len(pairs) > _MOST_PAIRS:
        raise InvalidRequest(
            f"Invalid 'metadata': too many properties. Expected an object with at most "
            f"{_MOST_PAIRS} properties, but got an object with {len(pairs)} properties instead.",
            param="metadata",
            code="object_above_max_properties",
        )
    return {
        _metadata_key(key): string(pairs[key], f"metadata.{key}", _LONGEST_VALUE) for key in pairs
    }


def _metadata_key(key: str) -> str:
    if not key:
        raise InvalidRequest(
            "Invalid 'metadata': a property name is empty. Give it 1 to 64 characters.",
            param="metadata",
            code="property_name_below_min_length",
        )
    if len(key) > _LONGEST_KEY:
        raise InvalidRequest(
            f"Invalid 'metadata': property name '{key[:_LONGEST_KEY]}...' is too long. Expected a "
            f"name with maximum length {_LONGEST_KEY}, but got one with length {len(key)} instead.",
            param="metadata",
            code="property_name_above_max_length",
        )
    return key


def _hint(value: Any) -> str | None:
    return None if value is None else string(value, "model", _LONGEST_NAME)
