"""The S3 door, outward: the results of a dropped file are laid under `outbox/`.

Events come at least once and in any order: everything is written again in the same way, and the
status last, so that whoever sees it finds the rest.
"""

from __future__ import annotations

from contextlib import suppress

import orjson

from nightmail.batch import Batch
from nightmail.batch_object import to_batch_object
from nightmail.door import ANSWERS, ERRORS, OUTPUT, REFUSAL, STATUS, answer_key, refusal
from nightmail.errors import NotFound
from nightmail.stores.batches import BatchStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.shards import ShardStore
from nightmail.telemetry import logger


class Outbox:
    def __init__(
        self, objects: ObjectStore, files: FileStore, batches: BatchStore, shards: ShardStore
    ) -> None:
        self._objects = objects
        self._files = files
        self._batches = batches
        self._shards = shards

    def deliver(self, owner: str, batch_id: str, now: int) -> list[str]:
        """Lay the answers of a batch that ended under `outbox/`; answers their keys.

        None where the batch is unknown, did not come by the inbox or has not ended, and where a
        newer batch of the same name was delivered already.
        """
        logger.append_keys(batch_id=batch_id)
        batch = self._batches.find(owner, batch_id)
        if batch is None or batch.inbox is None or not batch.status.is_final:
            return []
        path = f"{owner}/{batch.inbox.name}"
        before = self._present(path)
        if self._is_newer(before, path, batch_id):
            logger.info("a newer batch of this name was delivered already")
            return []
        written = self._results(batch, path, now)
        self._objects.delete(sorted(before - set(written) - {answer_key(path, STATUS)}))
        return [*written, self._status(batch, path)]

    def _present(self, path: str) -> set[str]:
        """Answers of an earlier batch of the same name."""
        ours = {answer_key(path, suffix) for suffix in ANSWERS}
        stem = answer_key(path, ".")
        return ours & {entry.key for entry in self._objects.segments(stem)}

    def _is_newer(self, present: set[str], path: str, batch_id: str) -> bool:
        """Ids sort by time."""
        status_key = answer_key(path, STATUS)
        if status_key not in present:
            return False
        delivered: str = orjson.loads(self._objects.get(status_key))["id"]
        return delivered > batch_id

    def _results(self, batch: Batch, path: str, now: int) -> list[str]:
        written = []
        for file_id, suffix in ((batch.output_file_id, OUTPUT), (batch.error_file_id, ERRORS)):
            if file_id and self._copy(batch.owner, file_id, answer_key(path, suffix), now):
                written.append(answer_key(path, suffix))
        if batch.errors:
            written.append(self._refusal(batch, path))
        return written

    def _copy(self, owner: str, file_id: str, target: str, now: int) -> bool:
        """Whether there was something to copy: its owner may have removed the file."""
        with suppress(NotFound):
            # FinalizeBatch writes one object.
            (segment,) = self._files.get(owner, file_id, now).segments
            self._objects.copy(segment.key, target)
            return True
        return False

    def _refusal(self, batch: Batch, path: str) -> str:
        first = batch.errors[0]
        key = answer_key(path, REFUSAL)
        why = refusal(first.message, first.param, first.code)
        self._objects.put(key, why, "application/json")
        return key

    def _status(self, batch: Batch, path: str) -> str:
        key = answer_key(path, STATUS)
        status = to_batch_object(batch, list(self._shards.list(batch.id)))
        self._objects.put(key, orjson.dumps(status), "application/json")
        return key
