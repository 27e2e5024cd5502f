"""Batches, shards and files as the stores hold them, for tests that begin in the middle of a life."""

from __future__ import annotations

from typing import Any

from nightmail.batch import Batch
from nightmail.bill import Bill
from nightmail.chunk import Chunk
from nightmail.deployment import Deployment
from nightmail.shard import Shard

NOW = 1_795_226_400
BATCH_ID = "batch_" + "0" * 31 + "1"


def sample_batch(**changes: Any) -> Batch:
    """A batch of the owner `alice`, just created."""
    fields = {
        "id": BATCH_ID,
        "owner": "alice",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "input_file_id": "file-in",
        "created_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return Batch.model_validate({**fields, **changes})


def sample_bill(**changes: Any) -> Bill:
    """What one answer of `sample_shard` used."""
    fields = {"model": "gpt-5-mini", "provider": "openai", "lane": "native", "lines": 1}
    return Bill.model_validate({**fields, **changes})


def sample_chunk(**changes: Any) -> Chunk:
    """The first chunk of `sample_batch`, planned."""
    fields = {
        "batch_id": BATCH_ID,
        "number": 1,
        "endpoint": "/v1/chat/completions",
        "deployment": Deployment(name="gpt-5-mini", provider="openai", model="gpt-5-mini"),
        "lines": 10,
        "index": [],
    }
    return Chunk.model_validate({**fields, **changes})


def sample_shard(**changes: Any) -> Shard:
    """The first shard of `sample_batch`, planned."""
    fields = {
        "batch_id": BATCH_ID,
        "number": 1,
        "endpoint": "/v1/chat/completions",
        "deployment": Deployment(name="gpt-5-mini", provider="openai", model="gpt-5-mini"),
        "lines": 10,
        "input": [],
        "index": [],
    }
    return Shard.model_validate({**fields, **changes})
