"""A test's hands on a running simulator: its control endpoint and its log."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import httpx

from local.simulator.addresses import base_of
from local.simulator.batches import FINAL
from local.simulator.log import EventName, Totals

Json = dict[str, Any]
_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.01


class SimulatorClient:
    """Controls the simulator at a URL such as `http://127.0.0.1:4010`.

    `base_url` is what a client of OpenAI takes; other providers have bases of their own.
    All waiting is bounded: TimeoutError tells what did not come.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = self.base_of("openai")
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=_PATIENCE_SECONDS + 30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def base_of(self, provider: str) -> str:
        """What a client of this provider takes as its base URL: `.../v1`, `.../anthropic`,
        `.../cohere`, `.../gemini`, `.../groq/v1`.
        """
        return base_of(self.url, provider)

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

    def until_calls(self, event: EventName, count: int = 1, **wanted: str) -> list[Json]:
        """Returns when so many calls that match have met with an event, and gives those calls.

        `until_calls("held", 2, model="gpt-4o")`. The events: `arrived`, `held`, `released`, `began`
        (the status was sent), `token` (the first token was), `answered` (a 200, to its end), `cut`
        (the simulator closed the connection), `disconnected` (the client did, before the end).
        """
        query = {**wanted, "event": event, "count": str(count), "seconds": str(_PATIENCE_SECONDS)}
        answer = self._get("/_log/await", query)
        calls: list[Json] = answer["calls"]
        if len(calls) < count:
            seen = f"{len(calls)} of {count} calls with {wanted}"
            raise TimeoutError(f"Waited {_PATIENCE_SECONDS} s for '{event}': {seen}.")
        return calls

    async def await_calls(self, event: EventName, count: int = 1, **wanted: str) -> list[Json]:
        """The same in a thread, for tests whose event loop has the calls to make."""
        return await asyncio.to_thread(self.until_calls, event, count, **wanted)

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
        """All batches as they truly are, of all providers, oldest first.

        Beside what its provider shows each has `provider`, `key` (its end), `status` in OpenAI's words,
        `total`, `completed`, `failed`, `executed`, `polls` and `is_deleted`.
        """
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

    def billed(self, key: str = "") -> list[Json]:
        """The tokens that were billed, summed for each provider, model (its own name) and lane.

        A row has `provider`, `model`, `lane` (`batch` or `call`), `answers`, and the tokens: `input`, of
        which `cached` were read from a cache and `cache_write` written to one, and `output`, of which
        `reasoning` were thought. `key`: those of keys with such an end only.
        """
        rows: list[Json] = self._get("/_control/billed", {"key": key})["billed"]
        return rows

    def calls(self, **wanted: str) -> list[Json]:
        """The logged calls whose fields match: `calls(method="POST", path="/batches")`."""
        calls: list[Json] = self._get("/_log", wanted)["calls"]
        return calls

    def events(self) -> list[Json]:
        """All that happened, in its order: `place`, `event`, and `call`, the number of the call.

        A release of holds is an event too, `release`, of no call: what has a lower place came first.
        """
        events: list[Json] = self._get("/_log/events")["events"]
        return events

    def totals(self, provider: str, model: str) -> Json:
        """What became of all calls of a model: `calls`, `in_flight`, `peak` (the most in flight at
        once), `answered` (paid, and sent to the end), `disconnected`, and `statuses`.
        """
        totals: Json = self._get("/_log/totals")["totals"]
        return totals.get(provider, {}).get(model) or asdict(Totals())

    def busiest(self, seconds: float, **wanted: str) -> int:
        """The most calls that arrived within any stretch of time of that length."""
        times = [call["time"] for call in self.calls(**wanted)]
        ends = [bisect_left(times, start + seconds) for start in times]
        return max((end - start for start, end in enumerate(ends)), default=0)

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
