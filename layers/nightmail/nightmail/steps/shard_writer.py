"""Writes the shards of a batch while its input file streams by."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from pydantic import BaseModel

from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.providers.base import BatchProvider
from nightmail.shard import Shard
from nightmail.stores.multipart import MultipartWriter, Suspended
from nightmail.stores.objects import ObjectStore


class Draft(BaseModel):
    """A shard that is being written, at rest."""

    number: int
    lines: int
    input: Suspended
    index: Suspended


@dataclass
class _Open:
    number: int
    input: MultipartWriter
    index: MultipartWriter
    lines: int = 0


class ShardWriter:
    """One deployment's lines of one endpoint, in as many shards as its provider's limits ask for.

    A shard is two objects: the lines in the provider's format, and an index of `number custom_id`.
    """

    def __init__(
        self,
        batch_id: str,
        endpoint: str,
        deployment: Deployment,
        provider: BatchProvider,
        objects: ObjectStore,
    ) -> None:
        self._batch_id = batch_id
        self._endpoint = endpoint
        self._deployment = deployment
        self._provider = provider
        self._objects = objects
        self._open: _Open | None = None
        self.finished: list[Shard] = []

    def add(self, line: Line) -> None:
        content = self._provider.to_line(line)
        shard = self._with_room_for(len(content))
        shard.input.write(content)
        shard.index.write(b"%d %b\n" % (line.number, orjson.dumps(line.custom_id)))
        shard.lines += 1

    def finish(self) -> list[Shard]:
        """Every shard, complete."""
        self._close()
        return self.finished

    def suspend(self) -> Draft | None:
        """The shard that is still open, for `resume`."""
        shard = self._open
        if shard is None:
            return None
        return Draft(
            number=shard.number,
            lines=shard.lines,
            input=shard.input.suspend(),
            index=shard.index.suspend(),
        )

    def resume(self, finished: list[Shard], draft: Draft | None) -> None:
        """Go on where `suspend` stopped."""
        self.finished = finished
        if draft:
            self._open = _Open(
                draft.number,
                input=self._objects.resume(draft.input),
                index=self._objects.resume(draft.index),
                lines=draft.lines,
            )

    def _with_room_for(self, size: int) -> _Open:
        limits, shard = self._provider.limits, self._open
        full = shard and (shard.lines >= limits.lines or shard.input.size + size > limits.bytes)
        if full:
            self._close()
        if self._open is None:
            self._open = self._begin(len(self.finished) + 1)
        return self._open

    def _begin(self, number: int) -> _Open:
        folder = f"work/{self._batch_id}/shards/{number:06d}"
        return _Open(
            number,
            input=self._objects.writer(f"{folder}/input"),
            index=self._objects.writer(f"{folder}/index"),
        )

    def _close(self) -> None:
        if self._open is None:
            return
        self.finished.append(
            Shard(
                batch_id=self._batch_id,
                number=self._open.number,
                endpoint=self._endpoint,
                deployment=self._deployment,
                lines=self._open.lines,
                input=[self._open.input.complete()],
                index=[self._open.index.complete()],
            )
        )
        self._open = None
