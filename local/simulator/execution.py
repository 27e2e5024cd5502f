"""One request on its way to an answer, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from local.simulator.answers import digest
from local.simulator.batches import Batch
from local.simulator.billing import Account
from local.simulator.call_faults import UnknownModel
from local.simulator.dialect import Dialect, Headers, Json
from local.simulator.errors import ApiError
from local.simulator.ledger import Ledger
from local.simulator.markers import How


@dataclass(frozen=True, slots=True)
class Executor:
    """Answers requests in a provider's dialect, and books them."""

    ledger: Ledger
    dialect: Dialect

    def answer(
        self, asked: str, path: str, headers: Headers, body: Json, withheld: How | None = None
    ) -> Json:
        """The answer to a request, known by its digest; it is not paid yet.

        Raises ApiError for what is wrong, and for a failure that the prompt asks for.
        """
        self.dialect.check(path, headers, body)
        if status := self.ledger.attempt(asked, self.dialect.prompt_of(body)):
            raise self.dialect.typical(status)
        return self.dialect.answer(path, body, withheld)

    def run_line(self, batch: Batch, path: str, headers: Headers, body: Json) -> Json:
        """Answer a batch's request, and book that. Raises ApiError as `answer` does."""
        batch.executed += 1
        asked = digest(body)
        try:
            self._check_model(batch, body)
            answer = self.answer(asked, path, headers, body)
        except ApiError:
            batch.counts.failed += 1
            raise
        batch.counts.completed += 1
        account = Account(batch.provider, str(body.get("model")), "batch", batch.key)
        tokens = self.dialect.tokens(answer)
        batch.usage = batch.usage.plus(tokens)
        self.ledger.pay(asked, account, tokens)
        return answer

    def _check_model(self, batch: Batch, body: Json) -> None:
        """Where the models of a batch were not looked at before, an unknown one fails its requests."""
        unknown, model = batch.faults.get(UnknownModel), str(body.get("model"))
        if unknown and fnmatchcase(model, unknown.match.model):
            raise self.dialect.model_not_found(model)
