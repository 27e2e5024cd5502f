"""All that one simulator knows, and the tasks in which its batches live."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from local.simulator.batches import Batch, BatchStore
from local.simulator.bedrock.buckets import Buckets, S3Buckets
from local.simulator.behaviour import Behaviour
from local.simulator.dialects import dialect_of
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.holds import Holds
from local.simulator.ledger import Ledger
from local.simulator.life import Life, Work
from local.simulator.log import Log


class Settings(BaseModel):
    """What `POST /_control/settings` changes. The limits are the providers' by default.

    `max_lines` and `max_bytes` are those of an input file, `min_records` is the fewest of a job of Bedrock's, `max_requests` and `max_request_bytes` those
    of a body of Anthropic's. `batch_seconds` is how long a batch takes without faults; `window_seconds` is what a
    completion window of 24h really lasts.
    """

    model_config = ConfigDict(extra="forbid")

    batch_seconds: Annotated[float, Field(ge=0)] = 1.0
    window_seconds: Annotated[float, Field(gt=0)] = 24 * 3600
    max_lines: PositiveInt = 50_000
    max_bytes: PositiveInt = 200 * 1024 * 1024
    min_records: PositiveInt = 100
    max_requests: PositiveInt = 100_000
    max_request_bytes: PositiveInt = 256 * 1024 * 1024
    models: list[str] = [
        "gpt-5-mini",
        "gpt-5",
        "gpt-4o-mini",
        "text-embedding-3-small",
        "text-embedding-3-large",
        "omni-moderation-latest",
    ]


class Simulator:
    """`buckets` are those that Bedrock's jobs read and write."""

    def __init__(self, log_file: Path | None = None, buckets: Buckets | None = None) -> None:
        self.settings = Settings()
        self.behaviour = Behaviour()
        self.holds = Holds()
        self.log = Log(log_file)
        self.ledger = Ledger()
        self.files = FileStore()
        self.buckets = buckets or S3Buckets()
        self.batches = BatchStore()
        self._lives: set[asyncio.Task[None]] = set()

    def executor(self, provider: str) -> Executor:
        return Executor(self.ledger, dialect_of(provider))

    def start(self, batch: Batch, work: Work) -> None:
        """Give a batch its life, from validation to its final status, in a task of its own."""
        self.batches.add(batch)
        life = Life(batch, work, self.holds, self.settings.batch_seconds)
        task = asyncio.create_task(life.run())
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    async def reset(self) -> None:
        """Forget everything: settings, faults, log, ledger, files and batches."""
        await self._end_lives()
        self.settings = Settings()
        self.behaviour.replace([])
        self.holds.release()
        self.log.clear()
        self.ledger.clear()
        self.batches.clear()
        self.files.clear()

    async def close(self) -> None:
        await self._end_lives()
        self.files.close()
        self.log.close()

    async def _end_lives(self) -> None:
        lives = list(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
