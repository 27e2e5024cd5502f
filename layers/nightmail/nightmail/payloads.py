"""What travels through the state machine: ids, never lines. `v` is the payload's version."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1


class BatchTask(Payload):
    """Input of PlanBatch, FinalizeBatch and FailBatch, and of the whole execution."""

    owner: str
    batch_id: str


class ShardTask(BatchTask):
    """Input of SubmitShard, PollShard, CollectShard and FinishShard: they act on the latest part of the track."""

    shard: int


class ChunkTask(BatchTask):
    """Input of RunChunk."""

    chunk: int


class Next(StrEnum):
    """Where a step sends the state machine."""

    MORE = "more"  # time was up: the same step goes on where it stopped
    PARTS = "parts"
    FINALIZE = "finalize"
    SUBMIT = "submit"
    POLL = "poll"
    COLLECT = "collect"
    RUN = "run"
    DONE = "done"
    FAILED = "failed"


class StepResult(Payload):
    """What every step answers: where to go, and how long to wait before."""

    next: Next
    wait_seconds: int = 0


class PlanResult(StepResult):
    """What PlanBatch answers: also how many parts of each kind there are, and run at a time.

    `map_concurrency` is the chunks'.
    """

    shard_concurrency: int
    map_concurrency: int
    shards: int
    chunks: int
