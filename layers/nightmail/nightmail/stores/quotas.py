"""What the workers of each deployment share."""

from __future__ import annotations

from nightmail.quota import Quota
from nightmail.stores.table import ABSENT, Condition, Key, Table


def _key(key: str) -> Key:
    return Key(f"QUOTA#{key}", "QUOTA")


class QuotaStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key: str) -> Quota:
        """As it is; one that nobody has written is as good as new."""
        item = self._table.get(_key(key))
        return Quota.model_validate(item) if item else Quota(key=key)

    def save(self, quota: Quota) -> None:
        """Write a changed one. Raises WriteConflict where somebody else wrote since it was read."""
        saved = quota.model_copy(update={"fence": quota.fence + 1})
        unchanged = Condition("#fence = :fence", {"fence": quota.fence}) if quota.fence else ABSENT
        self._table.put(_key(quota.key), saved.model_dump(mode="json"), unchanged)
