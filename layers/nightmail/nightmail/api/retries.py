"""Retries: a new batch of the lines of one that failed. An extension of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nightmail.api.batches import Batches, once
from nightmail.batch import Batch
from nightmail.errors import NotFound, StatusConflict
from nightmail.ids import new_batch_id
from nightmail.new_batch import parse_retry
from nightmail.stores.files import FileStore


class Retries:
    """The requests for retries. `clock` answers the Unix second."""

    def __init__(self, batches: Batches, files: FileStore, clock: Callable[[], int]) -> None:
        self._batches = batches
        self._files = files
        self._clock = clock

    def create(
        self,
        owner: str,
        batch_id: str,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """The Batch object of a new batch, or of the one that the key made before; `body` says what is
        not to be as it was.

        Raises InvalidRequest, NotFound for the batch or a file that is gone, StatusConflict where
        nothing can be retried, and IdempotencyConflict where the key stands for another request.
        """
        parent = self._batches.get(owner, batch_id)
        asked = parse_retry(body, parent)
        key = once(idempotency_key, {**body, "retry_of": parent.id})
        made = self._batches.made_before(owner, key) if key else None
        if made:
            return made
        self._check(parent)
        child = asked.batch(new_batch_id(), owner, self._clock())
        child.retry_of, child.lane = parent.id, parent.lane
        return self._batches.begin(child, key)

    def _check(self, parent: Batch) -> None:
        if not parent.status.is_final:
            raise StatusConflict(
                f"Cannot retry a batch with status '{parent.status}'. Wait until it has ended, or cancel it."
            )
        if parent.dry_run:
            raise StatusConflict(
                "Cannot retry a dry run: nothing was sent. Create a batch instead."
            )
        if not parent.is_planned:
            raise StatusConflict(
                "Cannot retry a batch of which nothing was run. Its errors, if it has any, say why; "
                "create a new batch."
            )
        if parent.error_file_id is None:
            raise StatusConflict("Cannot retry a batch without failed requests.")
        self._check_file(parent, parent.error_file_id, "which of its requests failed")
        self._check_file(parent, parent.input_file_id, "what its requests were")

    def _check_file(self, parent: Batch, file_id: str, what: str) -> None:
        """A retry reads both files of its parent."""
        try:
            self._files.get(parent.owner, file_id, self._clock())
        except NotFound as error:
            raise NotFound(
                f"The batch {parent.id} cannot be retried: its file '{file_id}', which told {what}, is gone. "
                "Send the requests again as a new batch.",
                param="batch_id",
            ) from error
