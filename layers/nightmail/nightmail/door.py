"""The S3 door's names: what is dropped under `inbox/`, and where its answers lie under `outbox/`.

inbox/<owner>/<name>.jsonl            the requests
inbox/<owner>/<name>.json             how to run them; optional, there before them
outbox/<owner>/<name>.output.jsonl    what succeeded
outbox/<owner>/<name>.error.jsonl     what failed
outbox/<owner>/<name>.error.json      why nothing was run
outbox/<owner>/<name>.status.json     the Batch object, written last
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from nightmail.batch import InboxOrigin
from nightmail.errors import InvalidRequest
from nightmail.ids import derived_batch_id, derived_file_id, is_owner

INBOX = "inbox/"
SIDECAR = ".json"
OUTPUT = ".output.jsonl"
ERRORS = ".error.jsonl"
REFUSAL = ".error.json"
STATUS = ".status.json"
ANSWERS = (OUTPUT, ERRORS, REFUSAL, STATUS)
_REQUESTS = ".jsonl"
_LONGEST_KEY = 1000  # bytes; S3 takes 1024, and the answers' names are a little longer


class Drop(BaseModel):
    """One object put under `inbox/`, as S3's "Object Created" event tells of it.

    `sequencer` tells one put of a key from the next, and is the same in a repeated event (Amazon S3
    user guide, event message structure).
    """

    model_config = ConfigDict(frozen=True)

    key: str
    etag: str
    sequencer: str = ""
    time: datetime

    @classmethod
    def of_event(cls, event: dict[str, Any]) -> Drop:
        return cls.model_validate({**event["detail"]["object"], "time": event["time"]})

    @property
    def is_request(self) -> bool:
        """Sidecars are read with the file that they stand beside; a folder's marker is nothing."""
        return not self.key.endswith((SIDECAR, "/"))

    @property
    def path(self) -> str:
        """`<owner>/<name>`."""
        return self.key.removeprefix(INBOX)

    @property
    def owner(self) -> str:
        return self.path.partition("/")[0]

    @property
    def origin(self) -> InboxOrigin:
        return InboxOrigin(name=self.path.partition("/")[2], etag=self.etag)

    @property
    def filename(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def sidecar(self) -> str:
        return self.key.removesuffix(_REQUESTS) + SIDECAR

    @property
    def batch_id(self) -> str:
        """The same for a repeated event, so that one put makes one batch."""
        return derived_batch_id(self._identity, int(self.time.timestamp()))

    @property
    def file_id(self) -> str:
        return derived_file_id(self._identity, int(self.time.timestamp()))

    @property
    def _identity(self) -> str:
        return f"{self.key}\n{self.etag}\n{self.sequencer}"

    def check_name(self) -> None:
        """Raises InvalidRequest where the key is not `inbox/<owner>/<name>.jsonl`."""
        if not self.path.partition("/")[2].removesuffix(_REQUESTS):
            raise InvalidRequest("Put the file into a folder named for its owner: inbox/OWNER/.")
        if not is_owner(self.owner):
            raise InvalidRequest(
                f"'{self.owner[:64]}' is no owner. An owner's name has 1 to 64 of the characters "
                "A-Z, a-z, 0-9, '_', '.' and '-', not dots alone."
            )
        if not self.key.endswith(_REQUESTS):
            raise InvalidRequest("Invalid file format for Batch API. Must be .jsonl")
        if len(self.key.encode()) > _LONGEST_KEY:
            raise InvalidRequest(f"The key is too long. It may have {_LONGEST_KEY} bytes.")


def answer_key(path: str, suffix: str) -> str:
    """Where an answer to `inbox/<path>` lies."""
    stem = path.removesuffix(_REQUESTS).encode()[:_LONGEST_KEY]
    return f"outbox/{stem.decode(errors='ignore')}{suffix}"


def refusal(batch_id: str, message: str, param: str | None, code: str | None) -> bytes:
    """Why nothing was run, in OpenAI's error envelope; `id` is what the batch has or would have."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return orjson.dumps({"id": batch_id, "error": error})
