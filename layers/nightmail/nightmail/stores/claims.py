"""Whose a provider's batch is: the results of one belong to one part alone.

Where a provider keeps no tags, a batch is adopted by what can be seen of it, which may be mistaken. A
part that was told the batch's id by the provider itself takes it from one that merely adopted it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from nightmail.errors import WriteConflict
from nightmail.stores.table import Condition, Key, Table

# Longer than any provider shows a batch and its results.
KEPT_SECONDS = 60 * 24 * 3600

_FREE = "attribute_not_exists(#pk) OR #holder = :holder"
_FREE_OR_ADOPTED = f"{_FREE} OR #certain = :no"


class Claim(BaseModel):
    """`holder` is the name of a part; `certain` where the provider told it the batch's id."""

    v: Literal[1] = 1
    holder: str
    certain: bool
    delete_at: int  # the table's TTL attribute


class ClaimStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, provider: str, provider_batch_id: str) -> Claim | None:
        """Who holds the provider's batch, or None where nobody does."""
        item = self._table.get(_key(provider, provider_batch_id))
        return Claim.model_validate(item) if item else None

    def take(self, provider: str, provider_batch_id: str, claim: Claim) -> bool:
        """Whether it is the holder's now: it was nobody's, its own, or merely adopted by another."""
        values: dict[str, object] = {"holder": claim.holder}
        condition = Condition(_FREE, values)
        if claim.certain:
            condition = Condition(_FREE_OR_ADOPTED, {**values, "no": False})
        try:
            self._table.put(
                _key(provider, provider_batch_id), claim.model_dump(mode="json"), condition
            )
        except WriteConflict:
            return False
        return True


def _key(provider: str, provider_batch_id: str) -> Key:
    return Key(f"PROVIDER_BATCH#{provider}#{provider_batch_id}", "CLAIM")
