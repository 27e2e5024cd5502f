"""A batch's life without a state machine: its functions in turn, and no waits."""

from __future__ import annotations

from collections.abc import Callable

from nightmail import wiring

from tests.contract.api_gateway import ApiGateway
from tests.template import Json

_STATES = {
    "submit": "submit_shard",
    "poll": "poll_shard",
    "collect": "collect_shard",
    "run": "run_chunk",
}


class Life:
    """Runs batches of one API. `before` is told each function's name just before it runs."""

    def __init__(self, gateway: ApiGateway) -> None:
        self._gateway = gateway
        self.before: Callable[[str], object] = str

    def run(self, owner: str, batch_id: str) -> None:
        """Bring a batch to its end."""
        task = {"v": 1, "owner": owner, "batch_id": batch_id}
        after = self._repeat("plan_batch", task)
        if after == "parts":
            for shard in wiring.parts().shards.list(batch_id):
                self._run_part("submit", {**task, "shard": shard.number})
            for chunk in wiring.parts().chunks.list(batch_id):
                self._run_part("run", {**task, "chunk": chunk.number})
        if after in {"parts", "finalize"}:
            after = self._repeat("finalize_batch", task)
        if after != "done":
            self._repeat("fail_batch", task)

    def _run_part(self, step: str, task: Json) -> None:
        while step != "done":
            after = self._step(_STATES[step], task)
            step = step if after == "more" else after

    def _repeat(self, function: str, task: Json) -> str:
        while (after := self._step(function, task)) == "more":
            pass
        return after

    def _step(self, function: str, task: Json) -> str:
        self.before(function)
        return str(self._gateway.invoke(function, task)["next"])
