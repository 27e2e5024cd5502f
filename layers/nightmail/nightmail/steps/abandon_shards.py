"""What is left of shards whose part of the state machine broke: they end, and cost nothing more."""

from __future__ import annotations

from itertools import islice

from nightmail.batch import Batch
from nightmail.errors import ConfigError, ProviderError
from nightmail.providers.base import BatchProvider, ProviderOf, Tag
from nightmail.shard import Ending, Shard, ShardState, why_to_stop
from nightmail.steps.collection import Collector
from nightmail.stores.objects import ObjectStore
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

_ENDED = frozenset({ShardState.COLLECTED, ShardState.STOPPED})


def abandon_shards(batch: Batch, stores: Stores, provider_of: ProviderOf, now: int) -> list[Shard]:
    """All shards of the plan; a plan that died may have left more behind. Those that nobody will go on with are stopped, here and there.

    Raises LeaseLost where somebody does go on with one: try again.
    """
    ending = why_to_stop(batch, now) or Ending.LOST
    return [
        shard if shard.state in _ENDED else _abandon(shard, ending, stores, provider_of)
        for shard in islice(stores.shards.list(batch.id), batch.shards)
    ]


def _abandon(shard: Shard, ending: Ending, stores: Stores, provider_of: ProviderOf) -> Shard:
    logger.error("shard abandoned", extra={"shard": shard.number, "state": shard.state})
    if shard.state in {ShardState.SUBMITTING, ShardState.SUBMITTED}:
        _cancel(shard, provider_of)
    stopped = shard.stopped(ending, shard.errors)
    return stores.shards.release(_with_outcomes(stopped, stores.objects))


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
