"""Many prompts to one model: `nightmail.batch_completion`, LiteLLM's, and a bare loop over httpx.

An upstream that answers at once, and one that takes its time. httpx's own pool looks at every connection
for every request, so it gets fewer prompts; all figures are for one prompt.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from bench.client import Client, Cost, running_clients
from bench.rounds import interleave, print_table
from bench.upstream import running_upstream

CONCURRENCY = 100
GOAL = 20
OURS, LITELLM, HTTPX = "nightmail_library", "litellm_sdk", "bare_httpx"
_LABELS = {
    OURS: "nightmail.batch_completion",
    LITELLM: "litellm.batch_completion",
    HTTPX: "a loop over httpx",
}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench many", description=__doc__)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--few", type=int, default=200, help="prompts for httpx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, nargs="+", default=[0, 200])
    options = parser.parse_args(arguments)
    with running_upstream() as url, running_clients(OURS, LITELLM, HTTPX) as clients:
        for milliseconds in options.milliseconds:
            prompts = {name: options.few if name == HTTPX else options.prompts for name in clients}
            contenders = {
                name: partial(_ask, client, f"{url}/{milliseconds}", prompts[name])
                for name, client in clients.items()
            }
            print(
                f"\n{options.prompts} prompts ({HTTPX}: {options.few}), {CONCURRENCY} at a time, "
                f"an upstream of {milliseconds} ms, medians of {options.rounds}"
            )
            _show(interleave(contenders, options.rounds))


def _ask(client: Client, url: str, prompts: int) -> Cost:
    return client.measure("many", url=url, prompts=prompts, concurrency=CONCURRENCY).per(prompts)


def _show(costs: dict[str, Cost]) -> None:
    ours = costs[OURS]
    rows = [
        (
            _LABELS[name],
            f"{1 / cost.seconds:.0f}",
            f"{ours.seconds / cost.seconds:.2f}",
            f"{cost.cpu_seconds * 1e6:.0f}",
            f"{cost.cpu_seconds / ours.cpu_seconds:.2f}",
        )
        for name, cost in costs.items()
    ]
    print_table(("client", "prompts/s", "x ours", "CPU us a prompt", "x ours"), rows)
    if LITELLM in costs:
        ratio = costs[LITELLM].cpu_seconds / ours.cpu_seconds
        print(f"A prompt costs LiteLLM {ratio:.1f} times our CPU (goal: {GOAL}).")
