"""All stores together, as the steps take them."""

from __future__ import annotations

from dataclasses import dataclass

from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import ClaimStore
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore


@dataclass(frozen=True)
class Stores:
    batches: BatchStore
    parts: PartStore
    files: FileStore
    objects: ObjectStore
    claims: ClaimStore
