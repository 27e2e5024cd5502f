"""How time, memory and what AWS charges by grow with a batch: natively, directly, and with long lines.

Each batch runs on a local cloud of its own, first 10,000 lines as the yardstick, then as many as the case
is about. Natively the simulated provider answers, directly an upstream that costs next to nothing. The
cloud, the provider and the client share this machine, and the seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from openai import OpenAI
from openai.types import Batch

from bench.gateway import client_of, run_batch, running_gateway
from bench.input_files import write_input
from bench.reports import Report, reports_of
from bench.rounds import print_table
from bench.upstream import running_upstream
from local.cloud import Cloud

MEBIBYTE = 1024 * 1024
PART_BYTES = 4 * MEBIBYTE
YARDSTICK = 10_000
STEPS = (
    "plan_batch",
    "submit_shard",
    "poll_shard",
    "collect_shard",
    "finish_shard",
    "run_chunk",
    "finalize_batch",
)


@dataclass(frozen=True)
class Case:
    """A batch of so many lines of so many bytes, by one lane."""

    lane: str
    lines: int
    line_bytes: int


CASES = {
    "native": Case("native", 1_000_000, 200),
    "direct": Case("direct", 100_000, 200),
    "long": Case("direct", 100_000, 10_000),
}


@dataclass
class Measured:
    """What a batch took: seconds of its phases, what its functions needed, what AWS was asked for."""

    lines: int
    seconds: dict[str, float] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    def report(self, step: str) -> Report:
        """Of nothing, where the batch did not need the step."""
        return self.reports.get(step) or Report(memory_mb=0)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[phase] = time.monotonic() - start


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench size", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="|".join(CASES), help="all of them by default")
    parser.add_argument("--lines", type=int, help="in the place of each case's own")
    parser.add_argument("--yardstick", type=int, nargs="*", default=[YARDSTICK], help="lines")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"There is no case {', '.join(unknown)}")
    for name in options.cases or CASES:
        case = CASES[name]
        sizes = [*options.yardstick, options.lines or case.lines]
        print(f"\n## {name}: lines of {case.line_bytes:,} bytes, {case.lane}", flush=True)
        _print([_measure(case, size) for size in sizes])


def _measure(case: Case, lines: int) -> Measured:
    measured = Measured(lines)
    upstream = running_upstream() if case.lane == "direct" else nullcontext("")
    with tempfile.TemporaryDirectory() as folder, upstream as url:
        source = Path(folder) / "input.jsonl"
        model = "direct" if url else "gpt-5-mini"
        write_input(source, model, lines, case.line_bytes)
        config = _config(model, url) if url else None
        with running_gateway(config) as gateway, client_of(gateway) as client:
            _run(client, gateway, source, measured)
            _note_counts(gateway, measured)
    return measured


def _config(model: str, url: str) -> dict[str, object]:
    params = {"model": "openai/gpt-5-mini", "api_base": f"{url}/0/v1", "batch": "direct"}
    return {"model_list": [{"model_name": model, "litellm_params": params}]}


def _run(client: OpenAI, gateway: Cloud, source: Path, measured: Measured) -> None:
    with measured.timed("upload"):
        upload = client.uploads.upload_file_chunked(
            file=source, mime_type="application/jsonl", purpose="batch", part_size=PART_BYTES
        )
    assert upload.file
    gateway.emulator.forget_counts()
    batch = run_batch(client, upload.file.id, pause_seconds=1)
    print(f"{batch.status}: {batch.request_counts}", flush=True)
    measured.seconds.update(_phases(batch))
    assert batch.output_file_id, batch
    with measured.timed("download"):
        _check(client, batch.output_file_id, measured.lines)


def _phases(batch: Batch) -> dict[str, float]:
    assert batch.in_progress_at
    assert batch.finalizing_at
    assert batch.completed_at
    return {
        "planning": batch.in_progress_at - batch.created_at,
        "in progress": batch.finalizing_at - batch.in_progress_at,
        "finalizing": batch.completed_at - batch.finalizing_at,
    }


def _check(client: OpenAI, output_file_id: str, lines: int) -> None:
    """Every line has its answer, in the order of the input."""
    with client.files.with_streaming_response.content(output_file_id) as content:
        count = 0
        for line in content.iter_lines():
            assert orjson.loads(line)["custom_id"] == f"line-{count}"
            count += 1
    assert count == lines, count


def _note_counts(gateway: Cloud, measured: Measured) -> None:
    counts = gateway.emulator.counts()
    prefix = f"{gateway.stack.name}-"
    measured.states.update(counts["states"])
    for function, seconds in counts["cpu_seconds"].items():
        measured.cpu_seconds[function.removeprefix(prefix)] = seconds
    for call in counts["calls"]:
        function = call["function"].removeprefix(prefix)
        if function in STEPS:
            measured.calls[function, f"{call['service']} {call['operation']}"] += call["count"]
    reports = reports_of(gateway)
    measured.reports = {step: reports[step] for step in STEPS if step in reports}


def _print(sizes: Sequence[Measured]) -> None:
    head = [f"{measured.lines:,} lines" for measured in sizes]
    print("\nSeconds by the clock")
    phases = list(sizes[-1].seconds)
    _print_rows(head, ((phase, [f"{one.seconds[phase]:.0f}" for one in sizes]) for phase in phases))
    print("\nFunctions: seconds of CPU of all invocations, and microseconds for a line")
    _print_rows(head, ((step, _times(step, sizes)) for step in _steps(sizes)))
    print(
        "\nFunctions: peak memory in MB, and by how many bytes for each line more it has grown at last"
    )
    memory = ((step, _peaks(step, sizes)) for step in _steps(sizes))
    _print_rows([*head, "bytes a line", "may have"], memory)
    print("\nState transitions")
    kinds = sorted(sizes[-1].states)
    _print_rows(head, ((kind, [f"{one.states[kind]:,}" for one in sizes]) for kind in kinds))
    _print_rows(head, [("all", [f"{one.states.total():,}" for one in sizes])])
    print("\nCalls of AWS by the batch's own functions")
    _print_rows(head, _calls(sizes))


def _print_rows(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
    print_table(["", *head], [[label, *cells] for label, cells in rows])


def _steps(sizes: Sequence[Measured]) -> list[str]:
    return [step for step in STEPS if step in sizes[-1].reports]


def _times(step: str, sizes: Sequence[Measured]) -> list[str]:
    seconds = [(one.cpu_seconds.get(step, 0), one.lines) for one in sizes]
    return [f"{took:.1f} s, {took / lines * 1e6:.0f} us" for took, lines in seconds]


def _peaks(step: str, sizes: Sequence[Measured]) -> list[str]:
    reports = [one.report(step) for one in sizes]
    grown = ""
    if len(sizes) > 1 and reports[-2].peak_mb:
        lines = sizes[-1].lines - sizes[-2].lines
        grown = f"{(reports[-1].peak_mb - reports[-2].peak_mb) * MEBIBYTE / lines:.1f}"
    return [*(str(report.peak_mb or "") for report in reports), grown, str(reports[-1].memory_mb)]


def _calls(sizes: Sequence[Measured]) -> Iterator[tuple[str, list[str]]]:
    for step, operation in sorted(sizes[-1].calls):
        cells = [f"{one.calls[step, operation]:,}" for one in sizes]
        yield f"{step} {operation}", cells
    operations = sorted({operation for _, operation in sizes[-1].calls})
    for wanted in operations:
        totals = [
            sum(count for (_, operation), count in one.calls.items() if operation == wanted)
            for one in sizes
        ]
        yield f"all {wanted}", [f"{total:,}" for total in totals]
