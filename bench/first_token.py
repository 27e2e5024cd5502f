"""When a stream's first token comes, alone and in a race: what is added to the provider's own time.

The upstream opens its streams at once, has its first token after 50, 150 or 300 ms, and holds its last one
back for 100 more: who hands on whole answers adds at least that.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

from bench.client import Client, Cost, running_clients
from bench.clients.prompts import config_of
from bench.gateway import running_gateway
from bench.racer import FASTEST, MILLISECONDS, ORDERS, Racer
from bench.rounds import interleave, print_table
from bench.upstream import running_upstream

_STRAIGHT, _CLOUD = "aiohttp, straight to the provider", "openai, through the local cloud"
_OPENAI = "openai_sdk"
_ALONE = {_STRAIGHT: "bare_aiohttp", "openai, straight to the provider": _OPENAI}
_RACING = {
    "nightmail, the library": "nightmail_library",
    "the function of /chat/completions": "chat_function",
    "LiteLLM; a race is its router's": "litellm_sdk",
}
Results = dict[str, tuple[Racer, Cost]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench first_token", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-cloud", action="store_true", help="do without the local cloud")
    options = parser.parse_args(arguments)
    labels = {**_ALONE, **_RACING}
    with running_upstream() as url, ExitStack() as stack:
        access = None if options.no_cloud else stack.enter_context(_running_cloud(url))
        clients = stack.enter_context(running_clients(*labels.values()))
        alone = _measure(_racers(labels, clients, url, [(FASTEST,)], access), options.rounds)
        raced = _measure(_racers(_RACING, clients, url, ORDERS, access), options.rounds)
    print(f"\nOne stream of {FASTEST} ms, medians of {options.rounds}")
    print_table(("first token", "ms added", "x straight", "CPU ms"), list(_rows_alone(alone)))
    print(f"\nThe first token of {MILLISECONDS} ms, medians of {options.rounds} races")
    head = ("first token", "ms added", "x alone", "CPU ms", "at most", "losers cut off", "after ms")
    print_table(head, list(_rows_raced(raced, alone)))


@contextmanager
def _running_cloud(url: str) -> Iterator[dict[str, str]]:
    """What a client of it has to know."""
    with running_gateway(config_of(f"{url}/{each}" for each in MILLISECONDS)) as gateway:
        yield {"gateway": gateway.base_url, "key": gateway.keys.master}


def _racers(
    labels: Mapping[str, str],
    clients: Mapping[str, Client],
    url: str,
    orders: Sequence[tuple[int, ...]],
    access: Mapping[str, str] | None,
) -> Iterator[Racer]:
    for label, name in labels.items():
        if client := clients.get(name):
            yield Racer(label, client, "first_token", url, orders)
    if access:
        yield Racer(_CLOUD, clients[_OPENAI], "first_token_through", url, orders, access)


def _measure(racers: Iterator[Racer], rounds: int) -> Results:
    by_label = {racer.label: racer for racer in racers}
    costs = interleave({label: racer.run for label, racer in by_label.items()}, rounds)
    return {label: (racer, costs[label]) for label, racer in by_label.items()}


def _rows_alone(alone: Results) -> Iterator[tuple[str, ...]]:
    _, straight = alone[_STRAIGHT]
    for label, (_, cost) in alone.items():
        yield label, *_cells(cost, straight)


def _rows_raced(raced: Results, alone: Results) -> Iterator[tuple[str, ...]]:
    for label, (racer, cost) in raced.items():
        yield (
            label,
            *_cells(cost, alone[label][1]),
            f"{max(racer.added) * 1000:.0f}",
            f"{len(racer.cut_after)} of {racer.losers}",
            f"{median(racer.cut_after) * 1000:.1f}" if racer.cut_after else "",
        )


def _cells(cost: Cost, than: Cost) -> tuple[str, str, str]:
    return (
        f"{cost.seconds * 1000:.1f}",
        f"{cost.seconds / than.seconds:.1f}",
        f"{cost.cpu_seconds * 1000:.1f}",
    )
