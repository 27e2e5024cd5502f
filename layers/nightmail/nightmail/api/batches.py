"""Batches: create, retrieve, list and cancel, as OpenAI's API does; a dry run is an extension."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from nightmail.api.pages import fitting_page
from nightmail.batch import NEXT, Batch, BatchStatus
from nightmail.batch_object import to_batch_object, to_list_entry
from nightmail.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    StatusConflict,
    StorageError,
    WriteConflict,
)
from nightmail.ids import new_batch_id
from nightmail.new_batch import parse_new_batch
from nightmail.parameters import integer_text
from nightmail.stores.batches import BatchStore
from nightmail.stores.parts import PartStore
from nightmail.telemetry import logger

_LONGEST_ID = 64  # ours are shorter; what sorts behind 64 characters sorts the same
_LONGEST_KEY = 255
_TRIES = 5
_DEFAULT_PAGE = 20
_BIGGEST_PAGE = 100
# An answer has 29 seconds.
_PLANNING_SECONDS = 20.0
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Once:
    """An Idempotency-Key, and a digest of the request that it came with."""

    key: str
    digest: str


def once(key: str | None, body: Mapping[str, Any]) -> Once | None:
    """None where there is no key. Raises InvalidRequest where it is too long, or empty."""
    return None if key is None else Once(_checked(key), _digest(body))


class Batches:
    """The requests about batches. `clock` answers the Unix second, `pause` waits for so many seconds."""

    def __init__(
        self,
        batches: BatchStore,
        parts: PartStore,
        clock: Callable[[], int],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._batches = batches
        self._parts = parts
        self._clock = clock
        self._pause = pause

    def create(
        self,
        owner: str,
        body: Mapping[str, Any],
        *,
        model_hint: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """The Batch object of a new batch, or of the one that the key made before.

        `model_hint` is what header or query say where the body names no `model`. Raises
        InvalidRequest, or IdempotencyConflict where the key stands for another request.
        """
        asked = {**body, "model": body.get("model") or model_hint}
        batch = parse_new_batch(asked).batch(new_batch_id(), owner, self._clock())
        return self.begin(batch, once(idempotency_key, asked))

    def begin(self, batch: Batch, once: Once | None = None) -> dict[str, Any]:
        """The Batch object of a new batch, or of the one that the key made before.

        A dry run is waited for. Raises IdempotencyConflict where the key stands for another request.
        """
        if once is None:
            self._create(batch)
        else:
            batch = self._create_once(batch, once)
        logger.info("created", extra={"batch_id": batch.id})
        return self._object(self._planned(batch) if batch.dry_run else batch)

    def made_before(self, owner: str, once: Once) -> dict[str, Any] | None:
        """The Batch object of the batch that the key made, if it has made one.

        Raises IdempotencyConflict where the key stands for another request.
        """
        batch_id = self._remembered(owner, once)
        return self.retrieve(owner, batch_id) if batch_id else None

    def retrieve(self, owner: str, batch_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self._object(self.get(owner, batch_id))

    def get(self, owner: str, batch_id: str) -> Batch:
        """Raises NotFound."""
        if len(batch_id) > _LONGEST_ID:
            raise NotFound(f"No batch found with id '{batch_id}'.", param="batch_id")
        return self._batches.get(owner, batch_id)

    def page(
        self, owner: str, *, after: str | None = None, limit: str | None = None
    ) -> dict[str, Any]:
        """OpenAI's list, newest first; `after` and `limit` as they stand in the query."""
        wanted = integer_text(limit, "limit", 1, _BIGGEST_PAGE) if limit else _DEFAULT_PAGE
        batches = self._batches.list(owner, after[:_LONGEST_ID] if after else None)
        entries = (self._list_entry(batch) for batch in islice(batches, wanted + 1))
        return fitting_page(entries, wanted)

    def cancel(self, owner: str, batch_id: str) -> dict[str, Any]:
        """The Batch object, `cancelling` from now on. Raises NotFound, or StatusConflict where it
        has ended already.
        """
        for _ in range(_TRIES):
            batch = self.get(owner, batch_id)
            if batch.status in {BatchStatus.CANCELLING, BatchStatus.CANCELLED}:
                return self._object(batch)
            if BatchStatus.CANCELLING not in NEXT[batch.status]:
                raise StatusConflict(f"Cannot cancel a batch with status '{batch.status}'.")
            with suppress(WriteConflict):
                cancelling = batch.move_to(BatchStatus.CANCELLING, self._clock())
                return self._object(self._batches.save(cancelling))
        raise WriteConflict(f"The batch {batch_id} changes too fast; try again.")

    def _create(self, batch: Batch) -> None:
        """The write is the acknowledgement: what was written will run.

        So a write whose answer was lost is looked up, not refused.
        """
        try:
            self._batches.create(batch)
        except StorageError:
            if self._batches.find(batch.owner, batch.id) is None:
                raise

    def _create_once(self, batch: Batch, once: Once) -> Batch:
        failure: StorageError = WriteConflict(
            "Another request with this key is under way; try again."
        )
        for _ in range(_TRIES):
            made = self._remembered(batch.owner, once)
            if made:
                return self._batches.get(batch.owner, made)
            # Whether it was written, or another create with this key: the next look tells.
            try:
                self._batches.create_once(batch, once.key, once.digest, self._clock())
            except StorageError as error:
                failure = error
        raise failure

    def _remembered(self, owner: str, once: Once) -> str | None:
        memory = self._batches.remembered(owner, once.key, self._clock())
        if memory and memory.request_digest != once.digest:
            raise IdempotencyConflict(
                "This Idempotency-Key was used for another request within the last 24 hours. "
                "Use a new key for a new request."
            )
        return memory.batch_id if memory else None

    def _planned(self, batch: Batch) -> Batch:
        """The batch when it has ended, or as it is when that takes too long."""
        for seconds in _pauses():
            if batch.status.is_final:
                break
            self._pause(seconds)
            batch = self._batches.get(batch.owner, batch.id)
        return batch

    def _object(self, batch: Batch) -> dict[str, Any]:
        return to_batch_object(batch, self._parts.of_batch(batch), self._clock())

    def _list_entry(self, batch: Batch) -> dict[str, Any]:
        return to_list_entry(batch, [] if batch.status.is_final else self._parts.of_batch(batch))


def _pauses() -> Iterator[float]:
    """Seconds between looks, each time some more."""
    left, pause = _PLANNING_SECONDS, _FIRST_PAUSE
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _checked(idempotency_key: str) -> str:
    if not 1 <= len(idempotency_key) <= _LONGEST_KEY:
        raise InvalidRequest(
            f"The header Idempotency-Key has to have 1 to {_LONGEST_KEY} characters.",
            param="Idempotency-Key",
            code="invalid_value",
        )
    return idempotency_key


def _digest(body: Mapping[str, Any]) -> str:
    """The same for the same JSON, however it is written."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
