"""One batch of 50,000 lines (100 MB) through the whole local cloud, by the simulated provider's batch API.

Prints how long each part took, and the peak memory of every function as its REPORT lines tell it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openai import OpenAI

from bench.gateway import client_of, run_batch, running_gateway
from bench.input_files import write_input
from bench.reports import reports_of
from local.cloud import Cloud

PART_BYTES = 4 * 1024 * 1024
MODEL = "gpt-5-mini"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench batch", description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--line-bytes", type=int, default=2_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running_gateway() as gateway:
        source = Path(folder) / "requests.jsonl"
        write_input(source, MODEL, options.lines, options.line_bytes)
        print(f"\n{options.lines} lines, {source.stat().st_size / 1e6:.0f} MB")
        with client_of(gateway) as client:
            _run(client, source)
        _print_memory(gateway)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<42}{time.perf_counter() - start:>9.1f} s")


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


def _print_memory(gateway: Cloud) -> None:
    for name, report in sorted(reports_of(gateway).items()):
        print(
            f"{name:<20}peak {report.peak_mb:>4} of {report.memory_mb:>4} MB"
            f" in {report.invocations} invocations"
        )
