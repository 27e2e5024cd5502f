"""What a provider's words cost: OpenAI's request into them, the answer and the stream out of them.

Every provider that the registry finds, a plain chat, and the simulator's answer to it; nothing is sent.
Beside it LiteLLM's transformation of the same, where it has one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.client import Client, Cost, running_clients
from bench.exchanges import exchange_with, providers
from bench.rounds import interleave, print_table

OURS, LITELLM = "nightmail_converters", "litellm_converters"
# It sends Azure's through OpenAI's SDK, and its iterator for Cohere does not read Cohere's events.
_LITELLM_HAS_NOT = {
    ("azure", "request"),
    ("azure", "answer"),
    ("azure", "stream"),
    ("cohere", "stream"),
}
_TASKS = ("request", "answer", "stream")
_CALLS_A_STREAM = 10
Costs = dict[tuple[str, str], Cost]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench converters", description=__doc__)
    parser.add_argument("--calls", type=int, default=50, help="of each, and a tenth of streams")
    parser.add_argument("--words", type=int, default=100, help="of the answer: an event each")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running_clients(OURS, LITELLM) as clients:
        costs = {
            provider: _measure(provider, Path(folder), clients, options) for provider in providers()
        }
    print(f"\nCPU us, an answer of {options.words} words, medians of {options.rounds}")
    head = ("provider", *(cell for task in _TASKS for cell in (task, "LiteLLM's")))
    print_table(head, [(provider, *_cells(each)) for provider, each in costs.items()])
    print("LiteLLM's: so many times ours.")


def _measure(
    provider: str, folder: Path, clients: dict[str, Client], options: argparse.Namespace
) -> Costs:
    """By client and task."""
    path = folder / f"{provider}.json"
    exchange_with(provider, options.words).save(path)
    contenders = {
        (name, task): partial(_ask, client, task, str(path), options.calls)
        for name, client in clients.items()
        for task in _TASKS
        if name == OURS or (provider, task) not in _LITELLM_HAS_NOT
    }
    return interleave(contenders, options.rounds)


def _ask(client: Client, task: str, path: str, calls: int) -> Cost:
    times = max(1, calls // _CALLS_A_STREAM) if task == "stream" else calls
    return client.measure(task, times=times, path=path).per(times)


def _cells(costs: Costs) -> Iterator[str]:
    for task in _TASKS:
        ours, theirs = costs[OURS, task], costs.get((LITELLM, task))
        yield f"{ours.cpu_seconds * 1e6:.0f}"
        yield f"{theirs.cpu_seconds / ours.cpu_seconds:.0f}" if theirs else ""
