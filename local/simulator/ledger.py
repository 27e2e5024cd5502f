"""What was executed, and how often: the witness when a test asks who paid twice."""

from __future__ import annotations

from collections import Counter

from local.simulator.billing import Account, Billing, Tokens
from local.simulator.markers import Markers


class Ledger:
    """Counts executions by the request's digest, whether it came in a batch or directly.

    `attempts` has every execution, `paid` only those that succeeded: a provider bills no failures.
    """

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.billing = Billing()
        self._failures: Counter[str] = Counter()

    def attempt(self, digest: str, prompt: list[str]) -> int | None:
        """Count an execution that begins; the status with which its prompt wants it to fail.

        A failure that is wanted so many times is counted by the prompt's texts, over all providers
        and both lanes: whoever asks again, in whatever words, comes nearer to an answer.
        """
        self.attempts[digest] += 1
        markers = Markers(prompt[-1] if prompt else "")
        if not markers.asks_to_fail:
            return None
        asked = "\n".join(prompt)
        self._failures[asked] += 1
        return markers.failure(self._failures[asked])

    def pay(self, digest: str, account: Account, tokens: Tokens) -> None:
        self.paid[digest] += 1
        self.billing.add(account, tokens)

    def clear(self) -> None:
        self.attempts.clear()
        self.paid.clear()
        self.billing.clear()
        self._failures.clear()
