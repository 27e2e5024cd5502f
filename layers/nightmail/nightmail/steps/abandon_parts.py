"""What is left of parts whose side of the state machine broke: they end, and cost nothing more."""

from __future__ import annotations

from nightmail.batch import Batch
from nightmail.chunk import Chunk
from nightmail.errors import ConfigError, ProviderError
from nightmail.part import Ending, Part, why_to_stop
from nightmail.providers.base import BatchProvider
from nightmail.shard import Shard, ShardState
from nightmail.steps.adoption import Unclear, own_batch
from nightmail.steps.chunk_runs import with_outcomes
from nightmail.steps.collection import Collector
from nightmail.steps.shard_work import Courier
from nightmail.telemetry import logger


def abandon_parts(batch: Batch, courier: Courier) -> list[Part]:
    """All parts of the plan and their successors. Those that nobody will go on with are stopped, here
    and there.

    Raises LeaseLost where somebody does go on with one: try again.
    """
    ending = why_to_stop(batch, courier.clock()) or Ending.LOST
    return [
        part if part.is_over else _abandon(part, ending, courier)
        for part in courier.stores.parts.of_batch(batch)
    ]


def _abandon(part: Part, ending: Ending, courier: Courier) -> Part:
    logger.error("part abandoned", extra={"part": part.name})
    stores = courier.stores
    if isinstance(part, Shard):
        return _abandon_shard(part, ending, courier)
    assert isinstance(part, Chunk), "a part is a shard or a chunk"
    answered = with_outcomes(part, stores.objects)
    return stores.parts.release(answered.stopped(ending, part.errors))


def _abandon_shard(shard: Shard, ending: Ending, courier: Courier) -> Shard:
    if shard.state in {ShardState.SUBMITTING, ShardState.SUBMITTED}:
        _cancel(shard, courier)
    stopped = shard.stopped(ending, shard.errors)
    return courier.stores.parts.release(_with_outcomes(stopped, courier))


def _with_outcomes(shard: Shard, courier: Courier) -> Shard:
    """With those that were fetched before it broke."""
    if not shard.provider_output_ids:
        return shard
    collector = Collector(shard, courier.stores.objects, courier.pricer)
    return collector.book(shard) if collector.count else shard


def _cancel(shard: Shard, courier: Courier) -> None:
    try:
        provider = courier.provider_of(shard.deployment)
        provider_batch_id = _known_batch(shard, provider, courier)
        if provider_batch_id:
            provider.cancel(provider_batch_id)
    except (ProviderError, ConfigError, Unclear) as error:  # it ends by itself at its own deadline
        logger.error("provider batch not cancelled", extra={"reason": error.message})


def _known_batch(shard: Shard, provider: BatchProvider, courier: Courier) -> str | None:
    """The batch that is the shard's for sure: one that looks like it may be a stranger's.

    By its tag also that of a submission whose answer never came.
    """
    if shard.provider_batch_id is None:
        return own_batch(shard, provider, courier.stores.claims) if provider.is_tagged else None
    return None if shard.is_adopted else shard.provider_batch_id
