"""Which of a provider's batches is a shard's, where the answer to its submission was lost."""

from __future__ import annotations

from nightmail.providers.base import BatchProvider, Intent, Tag
from nightmail.shard import Shard
from nightmail.stores.claims import KEPT_SECONDS, Claim, ClaimStore


class Unclear(Exception):
    """Nobody can tell whether the shard runs, or which batch is the shard's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def tag_of(shard: Shard) -> Tag:
    """What marks the batch that the shard is submitted as next."""
    return Tag(shard.batch_id, shard.number, shard.round, shard.returns)


def intent_of(shard: Shard) -> Intent:
    """The submission whose answer never came."""
    prepared, since = shard.provider_file_id or "", shard.intended_at or 0
    return Intent(prepared, tag_of(shard), shard.lines, since)


def own_batch(shard: Shard, provider: BatchProvider, claims: ClaimStore) -> str | None:
    """The id of the shard's batch, or None where there is none.

    Raises Unclear where it may be any of several, or one that another shard has adopted, and leaves of
    ProviderError.
    """
    found = provider.find(intent_of(shard))
    if provider.is_tagged:
        return found[0] if found else None
    held = {each: claims.find(shard.deployment.provider, each) for each in found}
    own = [each for each, claim in held.items() if claim and claim.holder == shard.name]
    if own:
        return own[0]
    possible = [each for each, claim in held.items() if claim is None or not claim.certain]
    if not possible:
        return None
    if len(possible) > 1 or held[possible[0]]:
        raise Unclear(
            "It is not clear whether the provider has started this shard: it shows batches that may be"
            " this one or another. Nothing was submitted again."
        )
    return possible[0]


def take_claim(
    claims: ClaimStore, shard: Shard, provider_batch_id: str, now: int, *, certain: bool
) -> bool:
    """Whether the batch is the shard's from now on."""
    claim = Claim(holder=shard.name, certain=certain, delete_at=now + KEPT_SECONDS)
    return claims.take(shard.deployment.provider, provider_batch_id, claim)


def is_still_ours(claims: ClaimStore, shard: Shard) -> bool:
    """Whether the batch that a shard adopted has not turned out to be another's."""
    if not shard.is_adopted or shard.provider_batch_id is None:
        return True
    claim = claims.find(shard.deployment.provider, shard.provider_batch_id)
    return claim is not None and claim.holder == shard.name
