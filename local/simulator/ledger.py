"""What was executed, and how often: the witness when a test asks who paid twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from local.simulator import answers
from local.simulator.errors import ApiError


class Ledger:
    """Counts executions by the request's digest, whether it came in a batch or directly.

    `attempts` has every execution, `paid` only those that succeeded: a provider bills no failures.
    """

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()

    def attempt(self, digest: str) -> int:
        """Count an execution that begins; says the how manyth of this request it is."""
        self.attempts[digest] += 1
        return self.attempts[digest]

    def pay(self, digest: str) -> None:
        self.paid[digest] += 1

    def outcome(self, endpoint: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the body of the answer to a batch's request, be it an error or not."""
        digest = answers.digest(body)
        try:
            answer = answers.answer(endpoint, body, self.attempt(digest))
        except ApiError as error:
            return error.status, error.envelope()
        self.pay(digest)
        return 200, answer

    def clear(self) -> None:
        self.attempts.clear()
        self.paid.clear()
