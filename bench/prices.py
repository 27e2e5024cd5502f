"""What pricing costs: the first price of a process, and every line after it.

The first one reads the published prices: once with compiled modules, as the layer has them, once without.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median
from tempfile import TemporaryDirectory

from nightmail.deployment import Deployment
from nightmail.prices.price import price_of
from nightmail.usage import Usage

from bench.rounds import print_table

GOAL_MICROSECONDS = 10
USAGE = Usage(input_tokens=10_000, cached_tokens=8_000, output_tokens=100)
MODELS = (("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"))
FIRST_PRICE = """
import resource, time
import nightmail.prices.price as prices
from nightmail.deployment import Deployment
from nightmail.usage import Usage
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
deployment = Deployment(name="m", provider="openai", model="gpt-5-mini")
before, start = peak(), time.perf_counter()
assert prices.price_of(deployment, "native", Usage(input_tokens=1)).amount
print(time.perf_counter() - start, peak() - before)
"""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench prices", description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    print(f"\nThe first price of a process, medians of {options.rounds}")
    print_table(("modules", "ms", "peak MB more"), list(_first_prices(options.rounds)))
    print(f"\nEvery price after it, of {options.lines:,} lines")
    rows = [(model, f"{_each(provider, model, options.lines):.1f}") for provider, model in MODELS]
    print_table(("model", "µs for a line"), rows)
    print(f"Goal: at most {GOAL_MICROSECONDS} µs for a line.")


def _first_prices(rounds: int) -> Iterator[tuple[str, str, str]]:
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        bare = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
        yield _row("as they are written", [_first(bare) for _ in range(rounds)])
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _first(environment)
        yield _row("compiled", [_first(environment) for _ in range(rounds)])


def _first(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and megabytes."""
    command = [sys.executable, "-c", FIRST_PRICE]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seconds, megabytes = printed.stdout.split()
    return float(seconds), float(megabytes)


def _row(label: str, figures: Sequence[tuple[float, float]]) -> tuple[str, str, str]:
    seconds, megabytes = (median(column) for column in zip(*figures, strict=True))
    return label, f"{seconds * 1000:.0f}", f"{megabytes:.0f}"


def _each(provider: str, model: str, lines: int) -> float:
    deployment = Deployment(name="m", provider=provider, model=model)
    price_of(deployment, "native", USAGE)
    start = time.perf_counter()
    for _ in range(lines):
        price_of(deployment, "native", USAGE)
    return (time.perf_counter() - start) / lines * 1_000_000
