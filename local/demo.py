"""`make demo`: a batch from end to end, by the stock openai client.

The local cloud is started, or found running, and goes on running afterwards.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import DefaultHttpxClient, OpenAI, OpenAIError
from openai.types import Batch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local import cloud
from local.build import ROOT
from local.simulator.client import SimulatorClient

REQUESTS = ROOT / "examples" / "requests.jsonl"
FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
PATIENCE_SECONDS = 150
# Long enough to see the bar move: the state machine asks every five seconds.
BATCH_SECONDS = 9
_PAUSE_SECONDS = 0.5
_ANSWERS_SHOWN = 6
_TEXT_SHOWN = 88
_NOTE = r"""
[bold]Who answered?[/] A simulator on this machine: no model was asked, and nothing was paid. Each answer is
made from its request; the tag \[sim ...] is a digest of it.

[bold]With real models:[/] copy examples/config.yaml to my.yaml and name your models there. Keys stay out of
it: os.environ/OPENAI_API_KEY in the config is what your shell has under that name. Then
  make stop
  export OPENAI_API_KEY=sk-...      (the provider's key)
  make local CONFIG=my.yaml

The local cloud goes on running, for your own requests:
  set -a; . {state}/env              (base URL and key for any OpenAI client)
  .venv/bin/python examples/run_batch.py
End it with: make stop"""

Show = Callable[[str, int, int], None]  # status, lines done, lines in all


class DemoFailed(Exception):
    """The batch did not come to a good end; the text says why."""


@dataclass(frozen=True)
class Report:
    """A batch that ended well, its results as saved files, and some of its answers."""

    batch: Batch
    saved: dict[str, Path]  # by file id
    answers: dict[str, str]  # by custom_id


def demo(state: Path, port: int) -> int:
    """Run the demonstration; answers the exit status."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        variables = _local_cloud(state, port, console)
        client = OpenAI(
            base_url=variables["OPENAI_BASE_URL"],
            api_key=variables["OPENAI_API_KEY"],
            http_client=DefaultHttpxClient(trust_env=False),
        )
        with client, SimulatorClient(variables["NIGHTMAIL_SIMULATOR_URL"]) as simulator:
            simulator.set(batch_seconds=BATCH_SECONDS)
            with progress(console) as show:
                report = run(client, REQUESTS, state / "demo", show)
            simulator.set(batch_seconds=1)
    except (cloud.StartFailed, DemoFailed, OpenAIError) as error:
        console.print(f"The demo failed: {error}", markup=False)
        console.print(f"The logs lie in {_short(state)}/*.log. To begin again: make stop demo")
        return 1
    _tell(report, state, console)
    return 0


def run(
    client: OpenAI,
    requests: Path,
    results: Path,
    show: Show,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Report:
    """Submit the file `requests`, wait, and save what comes into the folder `results`.

    Raises DemoFailed where the batch does not complete within its time.
    """
    uploaded = client.files.create(file=requests, purpose="batch")
    batch = client.batches.create(
        input_file_id=uploaded.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"made_by": "make demo"},
    )
    batch = _watch(client, batch, show, time.monotonic() + patience_seconds)
    saved = _save(client, batch, results)
    if batch.status != "completed" or not batch.output_file_id:
        raise DemoFailed(_reason(batch))
    return Report(batch, saved, _answers(saved[batch.output_file_id]))


def _local_cloud(state: Path, port: int, console: Console) -> dict[str, str]:
    """The variables of a running local cloud that the simulator answers."""
    variables = cloud.running_variables(state)
    if variables is None:
        with console.status("Starting the local cloud ..."):
            variables = cloud.start(cloud.Settings(state=state, port=port)).variables
    elif Path(variables["NIGHTMAIL_CONFIG"]) != cloud.DEFAULT_CONFIG:
        raise DemoFailed(
            "a local cloud with a config of yours is running, so the requests would go to your "
            "providers. To do that: .venv/bin/python examples/run_batch.py. Without: make stop demo"
        )
    console.print(f"Nightmail answers at [bold]{variables['OPENAI_BASE_URL']}[/]")
    return variables


def _watch(client: OpenAI, batch: Batch, show: Show, deadline: float) -> Batch:
    while batch.status not in FINAL:
        show(batch.status, *_progress_of(batch))
        if time.monotonic() > deadline:
            raise DemoFailed(f"{batch.id} is still {batch.status}; it was given up.")
        time.sleep(_PAUSE_SECONDS)
        batch = client.batches.retrieve(batch.id)
    show(batch.status, *_progress_of(batch))
    return batch


def _progress_of(batch: Batch) -> tuple[int, int]:
    """Lines done and lines in all, as the provider reports them while it works."""
    live: dict[str, int] = (batch.model_extra or {})["nightmail"]["progress"]
    total = batch.request_counts.total if batch.request_counts else 0
    return live["completed"] + live["failed"], total


def _save(client: OpenAI, batch: Batch, results: Path) -> dict[str, Path]:
    results.mkdir(parents=True, exist_ok=True)
    saved = {}
    for name, file_id in (("output", batch.output_file_id), ("error", batch.error_file_id)):
        path = results / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        if file_id:
            client.files.content(file_id).write_to_file(path)
            saved[file_id] = path
    return saved


def _reason(batch: Batch) -> str:
    errors = batch.errors.data if batch.errors else None
    said = "; ".join(error.message or str(error.code) for error in errors or [])
    return f"{batch.id} ended as {batch.status}. {said}".strip()


def _answers(output: Path) -> dict[str, str]:
    """A few lines of an output file, from all over it."""
    lines = output.read_text(encoding="utf-8").splitlines()
    step = max(1, len(lines) // _ANSWERS_SHOWN)
    entries = [json.loads(line) for line in lines[::step][:_ANSWERS_SHOWN]]
    return {entry["custom_id"]: _text(entry["response"]["body"]) for entry in entries}


def _text(body: dict[str, Any]) -> str:
    text = " ".join(body["choices"][0]["message"]["content"].split())
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}..."


@contextmanager
def progress(console: Console) -> Iterator[Show]:
    """A bar on a terminal; elsewhere a line whenever something has changed."""
    if not console.is_terminal:
        yield _line_printer(console)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("uploading", total=None)
        yield lambda status, done, total: progress.update(
            task, description=status, completed=done, total=total or None
        )


def _line_printer(console: Console) -> Show:
    told: list[str] = [""]

    def show(status: str, done: int, total: int) -> None:
        line = f"{status:<12} {done}/{total}" if total else status
        if line != told[0]:
            told[0] = line
            console.print(line)

    return show


def _tell(report: Report, state: Path, console: Console) -> None:
    counts, usage = report.batch.request_counts, report.batch.usage
    assert counts
    assert usage
    console.print("\n[bold]Some of the answers[/]")
    for custom_id, text in report.answers.items():
        console.print(f"  {custom_id:<26} {text}", markup=False)
    console.print(
        f"\n{counts.completed} of {counts.total} requests completed, {counts.failed} failed; "
        f"{usage.input_tokens} tokens in, {usage.output_tokens} out."
    )
    console.print("\n[bold]Where the results lie[/]")
    for file_id, path in report.saved.items():
        console.print(f"  {file_id}   saved as {_short(path)}")
        console.print(
            f'  curl -H "Authorization: Bearer $OPENAI_API_KEY" $OPENAI_BASE_URL/files/{file_id}/content'
        )
    console.print(_NOTE.format(state=_short(state)))


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
