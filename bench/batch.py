"""One batch of 50,000 lines (100 MB) through the whole local cloud, by the simulated provider's batch API.

Prints how long each part took, and the peak memory of every function as its REPORT lines tell it.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI

from bench.gateway import client_of, run_batch, running_gateway
from local import cloud

PART_BYTES = 4 * 1024 * 1024
MODEL = "gpt-5-mini"
_REPORT = re.compile(r"Memory Size: (\d+) MB\s+Max Memory Used: (\d+) MB")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench batch", description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--line-bytes", type=int, default=2_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running_gateway() as gateway:
        source = Path(folder) / "requests.jsonl"
        _write_requests(source, options.lines, options.line_bytes)
        print(f"\n{options.lines} lines, {source.stat().st_size / 1e6:.0f} MB")
        with client_of(gateway) as client:
            _run(client, source)
        _print_memory(gateway)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<42}{time.perf_counter() - start:>9.1f} s")


def _write_requests(path: Path, lines: int, line_bytes: int) -> None:
    with path.open("w") as file:
        for number in range(lines):
            body = {"model": MODEL, "messages": [{"role": "user", "content": f"{number} "}]}
            request = {"custom_id": f"line-{number}", "method": "POST", "body": body}
            request["url"] = "/v1/chat/completions"
            body["messages"][0]["content"] += "x" * (line_bytes - len(json.dumps(request)) - 1)  # type: ignore[index]
            file.write(json.dumps(request) + "\n")


def _run(client: OpenAI, source: Path) -> None:
    with _timed("upload in parts of 4 MB"):
        upload = client.uploads.upload_file_chunked(
            file=source, mime_type="application/jsonl", purpose="batch", part_size=PART_BYTES
        )
    assert upload.file
    with _timed("create to final status"):
        batch = run_batch(client, upload.file.id, pause_seconds=1)
    print(f"{'status, counts':<42}{batch.status}, {batch.request_counts}")
    for name, begin, end in (
        ("  validating", batch.created_at, batch.in_progress_at),
        ("  in progress (the simulator's time too)", batch.in_progress_at, batch.finalizing_at),
        ("  finalizing", batch.finalizing_at, batch.completed_at),
    ):
        print(f"{name:<42}{(end or 0) - (begin or 0):>9} s")
    with _timed("download of the output"):
        _check_order(client, batch.output_file_id)


def _check_order(client: OpenAI, output_file_id: str | None) -> None:
    if output_file_id is None:
        return
    content = client.files.content(output_file_id).read()
    ids = [json.loads(line)["custom_id"] for line in content.splitlines()]
    in_order = ids == [f"line-{number}" for number in range(len(ids))]
    print(f"{'output, in the order of the input':<42}{len(content) / 1e6:.0f} MB, {in_order}")


def _print_memory(running: cloud.Cloud) -> None:
    logs = running.emulator.session().client("logs")
    for name, (peak, size, calls) in sorted(_memory(logs, running.stack.name).items()):
        print(f"{name:<20}peak {peak:>4} of {size:>4} MB in {calls} invocations")


def _memory(logs: Any, stack: str) -> dict[str, tuple[int, int, int]]:
    """Peak, size and invocations of each function, by its name."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    prefix = f"/aws/lambda/{stack}-"
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in page["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], filterPattern="REPORT"
            )
            for events in pages:
                for event in events["events"]:
                    report = _REPORT.search(event["message"])
                    if report:
                        name = group["logGroupName"].removeprefix(prefix)
                        found[name].append((int(report[2]), int(report[1])))
    return {
        name: (max(used for used, _ in reports), reports[0][1], len(reports))
        for name, reports in found.items()
    }
