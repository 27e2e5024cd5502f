"""Retries: a new batch of the lines of one that failed. An extension of ours.

A batch has one retry at most, and that one may have another: each runs what the one before it could
not, so no line is paid again that any of them answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nightmail.api.batches import Batches, once
from nightmail.batch import Batch
from nightmail.errors import NotFound, StatusConflict, WriteConflict
from nightmail.ids import new_batch_id
from nightmail.new_batch import parse_retry
from nightmail.stores.stores import Stores


class Retries:
    """The requests for retries. `clock` answers the Unix second."""

    def __init__(self, batches: Batches, stores: Stores, clock: Callable[[], int]) -> None:
        self._batches = batches
        self._stores = stores
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
        not to be as it was. Where there are retries already, it runs what the latest could not.

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
        child.retry_of, child.lane = self._latest(parent).id, parent.lane
        try:
            return self._batches.begin(child, key)
        except WriteConflict:  # another request was faster, and its retry runs
            self._latest(parent)
            raise

    def _latest(self, parent: Batch) -> Batch:
        """The last of the batch and its retries. Raises StatusConflict where there is nothing to do."""
        latest = parent
        for latest in self._stores.batches.retries(parent):
            if not latest.status.is_final:
                raise StatusConflict(
                    f"The failed requests of this batch are just being retried, by batch {latest.id}. "
                    "Wait until that has ended, or cancel it."
                )
        self._check_failures(parent, self._stores.batches.latest_run(latest))
        return latest

    def _check(self, parent: Batch) -> None:
        if not parent.status.is_final:
            raise StatusConflict(
                f"Cannot retry a batch with status '{parent.status}'. Wait until it has ended, or cancel it."
            )
        if parent.dry_run:
            raise StatusConflict(
                "Cannot retry a dry run: nothing was sent. Create a batch instead."
            )
        if not self._stores.batches.latest_run(parent).is_planned:
            raise StatusConflict(
                "Cannot retry a batch of which nothing was run. Its errors, if it has any, say why; "
                "create a new batch."
            )

    def _check_failures(self, parent: Batch, run: Batch) -> None:
        """`run` is the batch whose failed lines the retry would run."""
        if run.error_file_id is None and run.id == parent.id:
            raise StatusConflict("Cannot retry a batch without failed requests.")
        if run.error_file_id is None:
            raise StatusConflict(
                f"Nothing is left to retry: batch {run.id} answered the last failed requests."
            )
        self._check_file(parent, run.error_file_id, "which of its requests failed")
        self._check_file(parent, parent.input_file_id, "what its requests were")

    def _check_file(self, parent: Batch, file_id: str, what: str) -> None:
        """A retry reads the input file, and the error file of the run before."""
        try:
            self._stores.files.get(parent.owner, file_id, self._clock())
        except NotFound as error:
            raise NotFound(
                f"The batch {parent.id} cannot be retried: its file '{file_id}', which told {what}, is gone. "
                "Send the requests again as a new batch.",
                param="batch_id",
            ) from error
