"""The S3 door, outward: the results of a dropped file are laid under `outbox/`.

Events come at least once and in any order: everything is written again in the same way, and the
status last, so that whoever sees it finds the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import orjson

from nightmail.batch import Batch
from nightmail.batch_object import to_batch_object
from nightmail.door import ANSWERS, ERRORS, OUTPUT, REFUSAL, STATUS, answer_key, refusal
from nightmail.errors import NotFound
from nightmail.payloads import BatchTask
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger


def deliver_outbox(task: BatchTask, stores: Stores, now: int) -> list[str]:
    """Lay the answers of a batch that ended under `outbox/`; answers their keys.

    None where the batch is unknown, did not come by the inbox or has not ended, and where a newer
    batch of the same name was delivered already. `now` is the Unix second.
    """
    batch = stores.batches.find(task.owner, task.batch_id)
    if batch is None or batch.inbox is None or not batch.status.is_final:
        return []
    path = f"{task.owner}/{batch.inbox.name}"
    before = _present(path, stores.objects)
    if _is_newer(before, path, batch.id, stores.objects):
        logger.info("a newer batch of this name was delivered already")
        return []
    written = [*_results(batch, path, stores, now), *_refusals(batch, path, stores.objects)]
    status = answer_key(path, STATUS)
    stores.objects.delete(sorted(before - {*written, status}))
    content = to_batch_object(batch, stores.parts.of_batch(batch), now)
    stores.objects.put(status, orjson.dumps(content), "application/json")
    return [*written, status]


def _present(path: str, objects: ObjectStore) -> set[str]:
    """Answers of an earlier batch of the same name."""
    ours = {answer_key(path, suffix) for suffix in ANSWERS}
    return ours & {entry.key for entry in objects.segments(answer_key(path, "."))}


def _is_newer(present: set[str], path: str, batch_id: str, objects: ObjectStore) -> bool:
    """Ids sort by time. A newer drop may have been refused, or have run to its end already."""
    told = present & {answer_key(path, STATUS), answer_key(path, REFUSAL)}
    return any(_batch_of(objects.get(key)) > batch_id for key in told)


def _batch_of(answer: bytes) -> str:
    """The id in an answer; what somebody else has put there is older than everything."""
    with suppress(ValueError, KeyError, TypeError):
        return str(orjson.loads(answer)["id"])
    return ""


def _results(batch: Batch, path: str, stores: Stores, now: int) -> Iterator[str]:
    """Copy what there is: its owner may have removed a file meanwhile."""
    for file_id, suffix in ((batch.output_file_id, OUTPUT), (batch.error_file_id, ERRORS)):
        key = answer_key(path, suffix)
        with suppress(NotFound):
            if file_id:
                # FinalizeBatch writes one object.
                (segment,) = stores.files.get(batch.owner, file_id, now).segments
                stores.objects.copy(segment.key, key)
                yield key


def _refusals(batch: Batch, path: str, objects: ObjectStore) -> Iterator[str]:
    """The first of the errors; the status has them all."""
    for first in batch.errors[:1]:
        key = answer_key(path, REFUSAL)
        why = refusal(batch.id, first.message, first.param, first.code)
        objects.put(key, why, "application/json")
        yield key
