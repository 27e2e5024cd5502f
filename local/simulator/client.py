"""A test's hands on a running simulator: its control endpoint and its log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from local.simulator.batches import FINAL

Json = dict[str, Any]
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.01


class SimulatorClient:
    """Controls the simulator at a URL such as `http://127.0.0.1:4010`.

    `base_url` is what a client of the provider takes.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = f"{url}/v1"
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def behave(self, *faults: Json) -> None:
        """Set the faults (see `faults`) in the place of those before; none: behave well."""
        self._post("/_control/behaviour", {"behaviours": faults})

    def struck(self) -> list[int]:
        """How often each fault that is set has struck, in their order."""
        return [fault["struck"] for fault in self._get("/_control/behaviour")["behaviours"]]

    def until_healthy(self) -> None:
        """Returns when the simulator answers: a program that was just started needs a moment."""
        _await(self._is_healthy, f"an answer of {self.url}")

    def until_waiting(self, name: str = "") -> None:
        """Returns when something of that name is on hold."""
        _await(lambda: name in self.waiting(), f"that '{name}' waits")

    def until_logged(self, **wanted: str) -> None:
        """Returns when the log has such a call."""
        _await(lambda: bool(self.calls(**wanted)), f"a call with {wanted}")

    def until_final(self, batch_id: str) -> Json:
        """Returns the batch as it truly is when it has its final status; it is not polled."""
        _await(lambda: self._batch(batch_id)["status"] in FINAL, f"the end of {batch_id}")
        return self._batch(batch_id)

    def until_settled(self) -> None:
        """Returns when every batch has its final status or is on hold."""
        _await(self._is_settled, "that all batches end or wait")

    def set(self, **settings: Any) -> None:
        """Change settings: `batch_seconds`, `window_seconds`, `max_lines`, ..."""
        self._post("/_control/settings", settings)

    def waiting(self) -> list[str]:
        """The names of the calls and batches that are on hold now."""
        names: list[str] = self._get("/_control/holds")["waiting"]
        return names

    def release(self, name: str | None = None) -> int:
        """Let all go on that wait, or those with a name; says how many they were."""
        released: int = self._post("/_control/release", {"name": name})["released"]
        return released

    def reset(self) -> None:
        """Forget everything."""
        self._post("/_control/reset", {})

    def batches(self) -> list[Json]:
        """All batches as they truly are, oldest first, with `executed` and `polls`."""
        batches: list[Json] = self._get("/_control/batches")["batches"]
        return batches

    def attempts(self) -> dict[str, int]:
        """How often each request was executed, by its digest."""
        attempts: dict[str, int] = self._get("/_control/executions")["attempts"]
        return attempts

    def paid(self) -> dict[str, int]:
        """How often each request succeeded, and so was billed, by its digest."""
        paid: dict[str, int] = self._get("/_control/executions")["paid"]
        return paid

    def calls(self, **wanted: str) -> list[Json]:
        """The logged calls whose fields match: `calls(method="POST", path="/batches")`."""
        calls: list[Json] = self._get("/_log", wanted)["calls"]
        return calls

    def clear_log(self) -> None:
        self._http.delete("/_log").raise_for_status()

    def _is_healthy(self) -> bool:
        try:
            return self._http.get("/_control/health").is_success
        except httpx.ConnectError:
            return False

    def _is_settled(self) -> bool:
        running = [batch for batch in self.batches() if batch["status"] not in FINAL]
        return len(running) <= len(self.waiting())

    def _batch(self, batch_id: str) -> Json:
        return next(batch for batch in self.batches() if batch["id"] == batch_id)

    def _get(self, path: str, query: dict[str, str] | None = None) -> Json:
        answer: Json = self._http.get(path, params=query).raise_for_status().json()
        return answer

    def _post(self, path: str, body: Json) -> Json:
        answer: Json = self._http.post(path, json=body).raise_for_status().json()
        return answer


def _await(condition: Callable[[], bool], awaited: str) -> None:
    """Raises TimeoutError, naming what was awaited, when it does not come within a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {_PATIENCE_SECONDS} s for {awaited}.")
        time.sleep(_PAUSE_SECONDS)
