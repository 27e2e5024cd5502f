"""What is left of parts whose side of the state machine broke: they end, and cost nothing more."""

from __future__ import annotations

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import ConfigError, ProviderError
from nightmail.part import Ending, Part, why_to_stop
from nightmail.providers.base import BatchProvider, ProviderOf, Tag
from nightmail.shard import Shard, ShardState
from nightmail.steps.chunk_runs import ChunkRuns
from nightmail.steps.collection import Collector
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger


def abandon_parts(batch: Batch, stores: Stores, provider_of: ProviderOf, now: int) -> list[Part]:
    """All parts of the plan. Those that nobody will go on with are stopped, here and there.

    Raises LeaseLost where somebody does go on with one: try again.
    """
    ending = why_to_stop(batch, now) or Ending.LOST
    return [
        part if part.is_over else _abandon(part, ending, stores, provider_of)
        for part in stores.parts.of_batch(batch)
    ]


def _abandon(part: Part, ending: Ending, stores: Stores, provider_of: ProviderOf) -> Part:
    logger.error("part abandoned", extra={"kind": type(part).__name__, "number": part.number})
    if isinstance(part, Shard):
        return _abandon_shard(part, ending, stores, provider_of)
    assert isinstance(part, Chunk), "a part is a shard or a chunk"
    answered = ChunkRuns(part, stores.objects).book(part)
    return stores.parts.chunks.release(answered.stopped(ending, part.errors))


def _abandon_shard(shard: Shard, ending: Ending, stores: Stores, provider_of: ProviderOf) -> Shard:
    if shard.state in {ShardState.SUBMITTING, ShardState.SUBMITTED}:
        _cancel(shard, provider_of)
    stopped = shard.stopped(ending, shard.errors)
    return stores.parts.shards.release(_with_outcomes(stopped, stores.objects))


def _with_outcomes(shard: Shard, objects: ObjectStore) -> Shard:
    """With those that were fetched before it broke."""
    if not shard.provider_output_ids:
        return shard
    collector = Collector(shard, objects)
    return collector.book(shard) if collector.count else shard


def _cancel(shard: Shard, provider_of: ProviderOf) -> None:
    try:
        provider = provider_of(shard.deployment)
        provider_batch_id = shard.provider_batch_id or _find(shard, provider)
        if provider_batch_id:
            provider.cancel(provider_batch_id)
    except (ProviderError, ConfigError) as error:  # it ends by itself at its own deadline
        logger.error("provider batch not cancelled", extra={"reason": error.message})


def _find(shard: Shard, provider: BatchProvider) -> str | None:
    """The batch of a submission whose answer never came."""
    tag = Tag(shard.batch_id, shard.number, shard.returns)
    return provider.find(shard.provider_file_id or "", tag, shard.intended_at or 0)
