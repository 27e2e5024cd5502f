"""The table's stream: what was written, in the form in which Lambda hands it over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nightmail.stores.table import Item, Key, from_attributes

OWNER_PREFIX = "OWNER#"


@dataclass(frozen=True)
class Change:
    """One written change; `old` is None for an INSERT, `new` for a REMOVE."""

    kind: Literal["INSERT", "MODIFY", "REMOVE"]
    key: Key
    old: Item | None
    new: Item | None

    @property
    def owner(self) -> str:
        """Whose item it is. Only items of an owner have one."""
        return self.key.pk.removeprefix(OWNER_PREFIX)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Change:
        """Raises KeyError, TypeError or ValueError where it is no record of a stream."""
        written = record["dynamodb"]
        old, new = written.get("OldImage"), written.get("NewImage")
        return cls(
            kind=record["eventName"],
            key=Key(**from_attributes(written["Keys"])),
            old=from_attributes(old) if old else None,
            new=from_attributes(new) if new else None,
        )


def sequence_number(record: Mapping[str, Any]) -> str:
    """The record's place in the stream."""
    return str(record["dynamodb"]["SequenceNumber"])


def failures(sequence_numbers: Iterable[str]) -> dict[str, Any]:
    """The answer by which Lambda repeats these records (ReportBatchItemFailures)."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sequence_numbers]}
