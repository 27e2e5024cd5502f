"""Claims in the table: a provider's batch is one part's, and who was told its id goes before who adopted it."""

from __future__ import annotations

import pytest
from nightmail.stores.claims import Claim, ClaimStore
from nightmail.stores.table import Table

from tests.unit.samples import NOW


@pytest.fixture
def claims(table: Table) -> ClaimStore:
    return ClaimStore(table)


def take(claims: ClaimStore, holder: str, *, certain: bool, batch: str = "b") -> bool:
    return claims.take("anthropic", batch, Claim(holder=holder, certain=certain, delete_at=NOW))


def holder(claims: ClaimStore) -> str | None:
    claim = claims.find("anthropic", "b")
    return claim.holder if claim else None


@pytest.mark.parametrize("certain", [True, False])
def test_what_nobody_holds_is_taken(claims: ClaimStore, certain: bool) -> None:
    assert holder(claims) is None
    assert take(claims, "one", certain=certain)
    assert holder(claims) == "one"


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [(False, False, "one"), (False, True, "two"), (True, False, "one"), (True, True, "one")],
)
def test_only_who_was_told_takes_from_another_and_only_from_who_adopted(
    claims: ClaimStore, first: bool, second: bool, wins: str
) -> None:
    take(claims, "one", certain=first)
    assert take(claims, "two", certain=second) is (wins == "two")
    assert holder(claims) == wins


@pytest.mark.parametrize("certain", [True, False])
def test_the_holder_may_take_it_again(claims: ClaimStore, certain: bool) -> None:
    take(claims, "one", certain=certain)
    assert take(claims, "one", certain=certain)


def test_batches_and_providers_are_claimed_apart(claims: ClaimStore) -> None:
    take(claims, "one", certain=True)
    assert take(claims, "two", certain=True, batch="c")
    assert claims.take("openai", "b", Claim(holder="two", certain=True, delete_at=NOW))
