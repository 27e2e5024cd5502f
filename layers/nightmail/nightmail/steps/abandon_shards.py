"""What is left of shards whose part of the state machine broke: they end, and cost nothing more."""

from __future__ import annotations

from nightmail.batch import Batch
from nightmail.errors import ConfigError, LeaseLost, ProviderError
from nightmail.shard import Ending, Shard, ShardState
from nightmail.steps.submit_shard import ProviderOf
from nightmail.stores.stores import Stores
from nightmail.telemetry import logger

_ENDED = frozenset({ShardState.COLLECTED, ShardState.STOPPED})


def abandon_shards(batch: Batch, stores: Stores, provider_of: ProviderOf) -> list[Shard]:
    """All shards of the batch; those that nobody will go on with are stopped, here and there."""
    return [
        shard if shard.state in _ENDED else _abandon(shard, stores, provider_of)
        for shard in stores.shards.list(batch.id)
    ]


def _abandon(shard: Shard, stores: Stores, provider_of: ProviderOf) -> Shard:
    logger.error("shard abandoned", extra={"shard": shard.number, "state": shard.state})
    if shard.provider_batch_id and shard.state is ShardState.SUBMITTED:
        _cancel(shard, shard.provider_batch_id, provider_of)
    stopped = shard.model_copy(
        update={"state": ShardState.STOPPED, "ending": Ending.LOST, "failed": shard.lines}
    )
    try:
        return stores.shards.save(stopped)
    except LeaseLost:
        return stores.shards.get(shard.batch_id, shard.number)


def _cancel(shard: Shard, provider_batch_id: str, provider_of: ProviderOf) -> None:
    try:
        provider_of(shard.deployment).cancel(provider_batch_id)
    except (ProviderError, ConfigError) as error:  # it ends by itself at its own deadline
        logger.error("provider batch not cancelled", extra={"reason": error.message})
