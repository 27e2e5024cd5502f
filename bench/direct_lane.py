"""A batch of 10,000 lines on the local cloud, each called by the gateway itself at an upstream of 200 ms.

The ideal is what the calls would take if so many were always in flight as the workers may have. The share
of it is told from create to completed, and from the first call to the last answer at the upstream, which
leaves out planning, starting and joining. A first batch has warmed the functions up.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate

from nightmail.config.settings import Settings
from openai import OpenAI

from bench.gateway import CHAT, client_of, run_batch, running_gateway
from bench.rounds import print_table
from bench.upstream import Call, running_upstream, take_log

MODEL = "direct"
GOAL = 0.7
IN_FLIGHT = Settings.model_fields["chunk_concurrency"].default
CHUNK = Settings.model_fields["chunk_lines"].default
_SHARES = ("share of calls", "of all")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench direct", description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--milliseconds", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 5])
    options = parser.parse_args(arguments)
    print(f"\n{options.lines} lines, an upstream of {options.milliseconds} ms")
    rows = [
        _row(workers, options.lines, options.milliseconds / 1000) for workers in options.workers
    ]
    head = ("workers", "in flight", "peak", "ideal s", "before", "calls", "after", *_SHARES)
    print_table(head, rows)
    print(f"Goal: a share of {GOAL:.0%}.")


def _row(workers: int, lines: int, latency: float) -> tuple[str, ...]:
    """`before` the first call, all `calls`, and `after` the last answer, in seconds."""
    parameters = {"MapConcurrency": str(workers)}
    with (
        running_upstream() as url,
        running_gateway(_config(f"{url}/{latency * 1000:.0f}"), parameters) as gateway,
        client_of(gateway) as client,
    ):
        _run(client, workers * CHUNK)
        take_log(url)
        created, completed = _run(client, lines)
        calls = take_log(url)
    assert len(calls) == lines
    first = calls[0].came_at
    last = max(call.answered_at or 0 for call in calls)
    ideal = lines * latency / (workers * IN_FLIGHT)
    return (
        f"{workers}",
        f"{workers * IN_FLIGHT}",
        f"{_peak(calls)}",
        f"{ideal:.1f}",
        f"{first - created:.1f}",
        f"{last - first:.1f}",
        f"{completed - last:.1f}",
        f"{ideal / (last - first):.0%}",
        f"{ideal / (completed - created):.0%}",
    )


def _config(base: str) -> dict[str, object]:
    params = {"model": "openai/gpt-4o-mini", "api_base": f"{base}/v1", "batch": "direct"}
    return {"model_list": [{"model_name": MODEL, "litellm_params": params}]}


def _run(client: OpenAI, lines: int) -> tuple[float, float]:
    """When the batch was created, and when it was seen completed."""
    content = "".join(_lines(lines)).encode()
    uploaded = client.files.create(file=("lines.jsonl", content), purpose="batch")
    created = time.monotonic()
    batch = run_batch(client, uploaded.id)
    completed = time.monotonic()
    assert batch.request_counts
    assert batch.request_counts.completed == lines, batch
    return created, completed


def _lines(lines: int) -> Iterator[str]:
    for number in range(lines):
        body = {"model": MODEL, "messages": [{"role": "user", "content": f"{number} {'x' * 200}"}]}
        line = {"custom_id": f"line-{number}", "method": "POST", "url": CHAT, "body": body}
        yield json.dumps(line) + "\n"


def _peak(calls: Sequence[Call]) -> int:
    """The most calls that were in flight at once."""
    changes = [(call.came_at, 1) for call in calls]
    changes += [(call.answered_at or call.left_at or 0, -1) for call in calls]
    return max(accumulate(change for _, change in sorted(changes)))
