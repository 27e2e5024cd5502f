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

    def execute(self, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request, and count it. Raises ApiError where the answer is an error."""
        digest = answers.digest(body)
        self.attempts[digest] += 1
        answer = answers.answer(endpoint, body, self.attempts[digest])
        self.paid[digest] += 1
        return answer

    def outcome(self, endpoint: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the body of a request's answer, be it an error or not."""
        try:
            return 200, self.execute(endpoint, body)
        except ApiError as error:
            return error.status, error.envelope()

    def clear(self) -> None:
        self.attempts.clear()
        self.paid.clear()
