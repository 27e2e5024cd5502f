"""A batch's life without a state machine: its functions in turn, and no waits."""

from __future__ import annotations

from collections.abc import Callable

from nightmail import wiring
from nightmail.part import Track

from tests.contract.api_gateway import ApiGateway
from tests.template import Json

_STATES: dict[Track, dict[str, str]] = {
    "shard": {
        "submit": "submit_shard",
        "poll": "poll_shard",
        "collect": "collect_shard",
        "run": "finish_shard",
    },
    "chunk": {"run": "run_chunk"},
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
            batch = wiring.batches().get(owner, batch_id)
            for part in wiring.parts().of_batch(batch):
                if not part.is_over:
                    self._run_track(part.track, {**task, part.track: part.number})
        if after in {"parts", "finalize"}:
            after = self._repeat("finalize_batch", task)
        if after != "done":
            self._repeat("fail_batch", task)

    def _run_track(self, track: Track, task: Json) -> None:
        states = _STATES[track]
        state = next(iter(states.values()))
        while (after := self._step(state, task)) != "done":
            state = states.get(after, state)

    def _repeat(self, function: str, task: Json) -> str:
        while (after := self._step(function, task)) == "more":
            pass
        return after

    def _step(self, function: str, task: Json) -> str:
        self.before(function)
        return str(self._gateway.invoke(function, task)["next"])
