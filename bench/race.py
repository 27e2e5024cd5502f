"""One prompt to three models of 50, 150 and 300 ms, in every order: what the race adds to the fastest.

What is added is all that is not the fastest upstream's own time. The upstream's log tells that time, what
became of the losers, and how long after the winner's answer they were cut off.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from statistics import median

from bench.client import Client, Cost, running_clients
from bench.racer import FASTEST, MILLISECONDS, Racer
from bench.rounds import interleave, print_table
from bench.upstream import running_upstream

GOAL_MILLISECONDS = 3
OURS, LITELLM = "nightmail_library", "litellm_sdk"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench race", description=__doc__)
    parser.add_argument("--rounds", type=int, default=24)
    options = parser.parse_args(arguments)
    with running_upstream() as url, running_clients(OURS, LITELLM) as clients:
        racers = {racer.label: racer for racer in _racers(clients, url)}
        costs = interleave({label: racer.run for label, racer in racers.items()}, options.rounds)
    print(f"\nThe first of {MILLISECONDS} ms, medians of {options.rounds} races")
    head = ("call", "ms added", "CPU ms", "losers cut off", "after ms", "at most")
    print_table(head, [_row(racer, costs[label]) for label, racer in racers.items()])
    print(f"Goal: at most {GOAL_MILLISECONDS} ms added, and every loser cut off.")


def _racers(clients: dict[str, Client], url: str) -> Iterator[Racer]:
    ours = clients[OURS]
    yield Racer("nightmail.completion, the fastest alone", ours, "alone", url, [(FASTEST,)])
    yield Racer("nightmail.batch_completion_models", ours, "race", url)
    if litellm := clients.get(LITELLM):
        yield Racer("litellm.completion, the fastest alone", litellm, "alone", url, [(FASTEST,)])
        yield Racer("litellm.batch_completion_models", litellm, "race", url)
        yield Racer("litellm.Router, fastest response", litellm, "router_race", url)


def _row(racer: Racer, cost: Cost) -> tuple[str, ...]:
    cut = [seconds * 1000 for seconds in racer.cut_after]
    return (
        racer.label,
        f"{cost.seconds * 1000:.1f}",
        f"{cost.cpu_seconds * 1000:.1f}",
        f"{len(cut)} of {racer.losers}" if racer.losers else "",
        f"{median(cut):.1f}" if cut else "",
        f"{max(cut):.1f}" if cut else "",
    )
