"""`python -m bench.worker <client>`: a client in a process of its own, so that its CPU is its alone.

Reads orders `{"task": ..., "times": ..., "with": {...}}` from stdin, one a line, and answers each with the
seconds by the clock and of CPU that all the times took; a task that returns seconds has taken the time itself.
Imports nothing that the peers' environment may not have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from typing import Any


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a client prints is no answer
    client = import_module(f"bench.clients.{name}")
    for line in sys.stdin:
        print(json.dumps(_carry_out(client, json.loads(line))), file=answers, flush=True)


def _carry_out(client: Any, order: dict[str, Any]) -> dict[str, float]:
    task, given = getattr(client, order["task"]), order["with"]
    start, start_of_cpu = time.perf_counter(), time.process_time()
    taken = [task(**given) for _ in range(order["times"])]
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds if None in taken else sum(taken),
        "cpu_seconds": time.process_time() - start_of_cpu,
    }


if __name__ == "__main__":
    main(sys.argv[1])
