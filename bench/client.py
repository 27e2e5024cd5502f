"""The handle of a client that runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.build import ROOT

PEERS = ROOT / ".venv-bench" / "bin" / "python"
WITHOUT_PEERS = "LiteLLM is not there to compare with; `make bench-setup` installs it (215 MB)."
PEERS_ENVIRONMENT = {
    # Otherwise importing it asks a server for prices.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task took: seconds by the clock, and of the client's CPU."""

    seconds: float
    cpu_seconds: float

    def per(self, parts: int) -> Cost:
        return Cost(self.seconds / parts, self.cpu_seconds / parts)


class Client:
    """`name` is a module of `bench.clients`."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process

    def measure(self, task: str, times: int = 1, **given: Any) -> Cost:
        """Let it do the task so many times. Raises RuntimeError where the client broke down."""
        assert self._process.stdin
        assert self._process.stdout
        print(
            json.dumps({"task": task, "times": times, "with": given}),
            file=self._process.stdin,
            flush=True,
        )
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} broke down; what it said is above.")
        measured = json.loads(answer)
        return Cost(measured["seconds"], measured["cpu_seconds"])


def has_peers() -> bool:
    return (ROOT / ".venv-bench" / "ready").exists()


@contextmanager
def running_clients(*names: str) -> Iterator[dict[str, Client]]:
    """Clients by their names; LiteLLM's only where the peers are installed, and the output says so."""
    wanted = [name for name in names if has_peers() or not _is_peer(name)]
    if len(wanted) < len(names):
        print(WITHOUT_PEERS)
    with ExitStack() as stack:
        yield {name: stack.enter_context(_running(name)) for name in wanted}


@contextmanager
def _running(name: str) -> Iterator[Client]:
    with subprocess.Popen(
        [str(PEERS if _is_peer(name) else Path(sys.executable)), "-m", "bench.worker", name],
        cwd=ROOT,
        env={**os.environ, **PEERS_ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Client(name, process)
        finally:
            process.terminate()


def _is_peer(name: str) -> bool:
    return name.startswith("litellm")
