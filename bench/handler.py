"""What a call costs inside the function of `/chat/completions`, warm: the CPU of its process.

Beside it one call by bare aiohttp, with an event loop and a session of its own as a function has to have.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from bench.client import Client, Cost, running_clients
from bench.rounds import interleave, print_table
from bench.upstream import running_upstream

_LABELS = {
    "bare_aiohttp": "aiohttp, a loop and a session each time",
    "chat_function": "the function of /chat/completions",
    "nightmail_library": "nightmail.completion, in one process",
}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench handler", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    with running_upstream() as url, running_clients(*_LABELS) as clients:
        contenders = {
            name: partial(_ask, client, f"{url}/0", options.calls)
            for name, client in clients.items()
        }
        costs = interleave(contenders, options.rounds)
    print(f"\n{options.calls} calls, one after the other, medians of {options.rounds}")
    least = costs["bare_aiohttp"].cpu_seconds
    print_table(
        ("call", "CPU us", "x aiohttp"),
        [
            (_LABELS[name], f"{cost.cpu_seconds * 1e6:.0f}", f"{cost.cpu_seconds / least:.2f}")
            for name, cost in costs.items()
        ],
    )


def _ask(client: Client, url: str, calls: int) -> Cost:
    return client.measure("one", times=calls, url=url).per(calls)
