"""Many prompts that go on as a batch: an input file of its owner's, and what is answered already.

The file has a line for every prompt, the answered ones too: their outcomes lie beside it, and the
batch begins with them. The batch's item is written last, for that write is the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from nightmail.api.batches import Batches, Once
from nightmail.batch import Batch
from nightmail.direct_outcome import answered, failed
from nightmail.endpoints import CHAT
from nightmail.errors import GatewayError, StorageError, TooLarge
from nightmail.file import Segment, StoredFile, object_key
from nightmail.ids import new_batch_id, new_file_id
from nightmail.modes.asked import ManyPrompts
from nightmail.modes.many import Finished
from nightmail.new_batch import DEFAULT_WINDOW, window_seconds
from nightmail.new_file import BATCH, expiry
from nightmail.outcome import Outcome, to_row
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.work_keys import answered_key

FILENAME = "batch_completion.jsonl"


class Handover:
    """Makes batches of prompts. `clock` answers the Unix second; the limits are those of an input file."""

    def __init__(
        self,
        batches: Batches,
        files: FileStore,
        objects: ObjectStore,
        clock: Callable[[], int],
        *,
        most_lines: int,
        most_bytes: int,
    ) -> None:
        self._batches = batches
        self._files = files
        self._objects = objects
        self._clock = clock
        self._most_lines = most_lines
        self._most_bytes = most_bytes

    def made_before(self, owner: str, once: Once) -> dict[str, Any] | None:
        """The Batch object of the batch that an Idempotency-Key stands for."""
        return self._batches.made_before(owner, once)

    def size(self, request: ManyPrompts) -> int:
        """Bytes of the input file. Raises TooLarge where no batch takes that much."""
        size = 0
        if len(request.items) > self._most_lines:
            raise TooLarge(
                f"Your request has {len(request.items)} prompts; a batch takes up to "
                f"{self._most_lines}. Send them in several requests, or as several batches.",
                param="messages",
            )
        for line in _lines(request):
            size += len(line)
            if size > self._most_bytes:
                raise TooLarge(
                    f"Your prompts, each with the parameters of all, have more than {self._most_bytes} "
                    "bytes, which is what a batch takes. Send them as several batches (POST /batches).",
                    param="messages",
                )
        return size

    def begin(self, owner: str, request: ManyPrompts, once: Once | None = None) -> dict[str, Any]:
        """The Batch object of a batch that takes its deployment's own lane."""
        return self._begin(self._batch(owner), request, once)

    def go_on(
        self,
        owner: str,
        request: ManyPrompts,
        finished: Sequence[Finished],
        once: Once | None = None,
    ) -> dict[str, Any]:
        """The Batch object of a batch in the direct lane that begins with what is finished.

        What failed and may succeed later is not: it is called again.
        """
        batch = self._batch(owner)
        rows = sorted(to_row(_outcome(one)) for one in finished if is_final(one))
        batch.lane = "direct"
        if rows:
            batch.answered = self._objects.put(answered_key(batch.id), b"".join(rows))
        return self._begin(batch, request, once)

    def _batch(self, owner: str) -> Batch:
        now = self._clock()
        return Batch(
            id=new_batch_id(),
            owner=owner,
            endpoint=CHAT,
            completion_window=DEFAULT_WINDOW,
            input_file_id=new_file_id(),
            created_at=now,
            expires_at=now + window_seconds(DEFAULT_WINDOW),
        )

    def _begin(self, batch: Batch, request: ManyPrompts, once: Once | None) -> dict[str, Any]:
        self._keep_input(batch, request)
        try:
            begun = self._batches.begin(batch, once)
        except GatewayError:
            self._files.delete(batch.owner, batch.input_file_id)
            raise
        if begun["id"] != batch.id:  # the key made another one meanwhile
            self._files.delete(batch.owner, batch.input_file_id)
        return begun

    def _keep_input(self, batch: Batch, request: ManyPrompts) -> None:
        """The record comes first: an object without one would never be erased."""
        key = object_key(batch.owner, batch.input_file_id)
        size = self.size(request)
        file = StoredFile(
            id=batch.input_file_id,
            owner=batch.owner,
            bytes=size,
            created_at=batch.created_at,
            expires_at=expiry(BATCH, None, batch.created_at),
            filename=FILENAME,
            purpose=BATCH,
            segments=[Segment(key=key, size=size)],
        )
        self._files.create(file)
        try:
            writer = self._objects.writer(key)
            for line in _lines(request):
                writer.write(line)
            writer.complete()
        except StorageError:
            self._files.delete(batch.owner, file.id)
            raise


def is_final(one: Finished) -> bool:
    """Whether the prompt needs no other call."""
    return one.error is None or not one.error.retryable


def _lines(request: ManyPrompts) -> Iterator[bytes]:
    for custom_id, body in request.items:
        entry = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}
        yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def _outcome(one: Finished) -> Outcome:
    number = one.index + 1
    if one.error:
        return failed(number, one.error)
    return answered(
        number, {name: value for name, value in one.item.items() if name != "custom_id"}
    )
