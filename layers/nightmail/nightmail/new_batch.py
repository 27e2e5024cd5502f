"""What a new batch is asked to be: the body of `POST /batches`, and the settings of a dropped file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nightmail.batch import Batch, InboxOrigin
from nightmail.errors import InvalidRequest
from nightmail.file import ExpiresAfter
from nightmail.new_file import expires_after
from nightmail.parameters import mapping, no_extensions, one_of, required, string

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/moderations",
)
WINDOW_SECONDS = {"24h": 24 * 3600}
_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_LONGEST_NAME = 250  # of a file or a model; as UTF-8 it still fits into a key of the table


@dataclass(frozen=True)
class NewBatch:
    """A checked request for a batch."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None
    output_expires_after: ExpiresAfter | None
    deployment_hint: str | None

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
            expires_at=now + WINDOW_SECONDS[self.completion_window],
            metadata=self.metadata,
            output_expires_after=self.output_expires_after,
            deployment_hint=self.deployment_hint,
            inbox=inbox,
        )


def parse_new_batch(body: Mapping[str, Any]) -> NewBatch:
    """Check the JSON body of OpenAI's `POST /batches`; fields that nobody knows are ignored.

    Raises InvalidRequest naming the first wrong field.
    """
    input_file_id = required(body, "input_file_id", "input_file_id")
    endpoint = required(body, "endpoint", "endpoint")
    window = required(body, "completion_window", "completion_window")
    no_extensions(body.get("nightmail"))
    return NewBatch(
        input_file_id=string(input_file_id, "input_file_id", _LONGEST_NAME),
        endpoint=one_of(endpoint, "endpoint", ENDPOINTS),
        completion_window=one_of(window, "completion_window", list(WINDOW_SECONDS)),
        metadata=_metadata(body.get("metadata")),
        output_expires_after=expires_after(
            body.get("output_expires_after"), "output_expires_after"
        ),
        deployment_hint=_hint(body.get("model")),
    )


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
