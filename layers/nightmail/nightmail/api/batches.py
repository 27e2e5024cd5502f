"""Batches: create, retrieve, list and cancel, as OpenAI's API does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
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
from nightmail.shard import Shard
from nightmail.stores.batches import BatchStore
from nightmail.stores.shards import ShardStore
from nightmail.telemetry import logger

_LONGEST_ID = 64  # ours are shorter; what sorts behind 64 characters sorts the same
_LONGEST_KEY = 255
_TRIES = 5
_DEFAULT_PAGE = 20
_BIGGEST_PAGE = 100


class Batches:
    """The requests about batches. `clock` answers the Unix second."""

    def __init__(self, batches: BatchStore, shards: ShardStore, clock: Callable[[], int]) -> None:
        self._batches = batches
        self._shards = shards
        self._clock = clock

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
        now = self._clock()
        asked = {**body, "model": body.get("model") or model_hint}
        batch = parse_new_batch(asked).batch(new_batch_id(), owner, now)
        if idempotency_key is None:
            self._create(batch)
        else:
            batch = self._create_once(batch, _checked(idempotency_key), _digest(asked), now)
        logger.info("created", extra={"batch_id": batch.id})
        return self._object(batch)

    def retrieve(self, owner: str, batch_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self._object(self._get(owner, batch_id))

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
            batch = self._get(owner, batch_id)
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

    def _create_once(self, batch: Batch, key: str, digest: str, now: int) -> Batch:
        failure: StorageError = WriteConflict(
            "Another request with this key is under way; try again."
        )
        for _ in range(_TRIES):
            memory = self._batches.remembered(batch.owner, key, now)
            if memory is None:
                # Whether it was written, or another create with this key: the next look tells.
                try:
                    self._batches.create_once(batch, key, digest, now)
                except StorageError as error:
                    failure = error
            elif memory.request_digest == digest:
                return self._batches.get(batch.owner, memory.batch_id)
            else:
                raise IdempotencyConflict(
                    "This Idempotency-Key was used for another request within the last 24 hours. "
                    "Use a new key for a new request."
                )
        raise failure

    def _get(self, owner: str, batch_id: str) -> Batch:
        if len(batch_id) > _LONGEST_ID:
            raise NotFound(f"No batch found with id '{batch_id}'.", param="batch_id")
        return self._batches.get(owner, batch_id)

    def _shards_of(self, batch: Batch) -> list[Shard]:
        return list(self._shards.list(batch.id)) if batch.shards else []

    def _object(self, batch: Batch) -> dict[str, Any]:
        return to_batch_object(batch, self._shards_of(batch))

    def _list_entry(self, batch: Batch) -> dict[str, Any]:
        return to_list_entry(batch, [] if batch.status.is_final else self._shards_of(batch))


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
