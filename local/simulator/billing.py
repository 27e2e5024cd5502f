"""What a provider bills: the tokens of every answer that was given, by model and lane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

Lane = Literal["batch", "call"]


class Tokens(NamedTuple):
    """`cached` and `cache_write` are part of the input, `reasoning` is part of the output."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


class Account(NamedTuple):
    """Whom an answer is billed to, and at which price. `model` is the provider's own name."""

    provider: str
    model: str
    lane: Lane
    key: str


class Billing:
    def __init__(self) -> None:
        self._sums: dict[Account, tuple[int, Tokens]] = {}

    def add(self, account: Account, tokens: Tokens) -> None:
        answers, before = self._sums.get(account, (0, Tokens()))
        self._sums[account] = (answers + 1, before.plus(tokens))

    def rows(self, key: str = "") -> Iterator[dict[str, Any]]:
        """The sums of each provider, model and lane, over the keys that end so."""
        found: dict[tuple[str, ...], tuple[int, Tokens]] = {}
        for account, (answers, tokens) in self._sums.items():
            if account.key.endswith(key):
                others = found.get(account[:3], (0, Tokens()))
                found[account[:3]] = (others[0] + answers, others[1].plus(tokens))
        for (provider, model, lane), (answers, tokens) in sorted(found.items()):
            named = {"provider": provider, "model": model, "lane": lane, "answers": answers}
            yield named | tokens._asdict()

    def clear(self) -> None:
        self._sums.clear()
