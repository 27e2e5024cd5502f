"""When the first and the last piece of a streamed answer arrive from a deployed stack.

    export NIGHTMAIL_URL=https://….execute-api.….amazonaws.com/v1 NIGHTMAIL_KEY=sk-…
    .venv/bin/python -m bench.aws.first_token --model gpt-5-mini

Each round costs one short answer of the model. Where the whole stream comes at once, API Gateway or the
runtime has buffered it: the first piece then comes as late as the last.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

import httpx

from bench.rounds import print_table

_PROMPT = "Count from 1 to 200, separated by blanks, and say nothing else."
_SECONDS = 300


class Times(NamedTuple):
    """Seconds from the request on."""

    headers: float
    first: float
    last: float
    pieces: int


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.aws.first_token", description=__doc__)
    parser.add_argument("--model", required=True, help="a model of the deployed config")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    rounds = list(_rounds(options.model, options.rounds))
    cold, warm = rounds[0], rounds[1:]
    print_table(
        ("round", "headers s", "first piece s", "last piece s", "pieces"), list(_rows(cold, warm))
    )


def _rounds(model: str, rounds: int) -> Iterator[Times]:
    headers = {"authorization": f"Bearer {_given('NIGHTMAIL_KEY')}"}
    with httpx.Client(
        base_url=_given("NIGHTMAIL_URL"), headers=headers, timeout=_SECONDS
    ) as client:
        for _ in range(rounds + 1):
            yield _ask(client, model)


def _ask(client: httpx.Client, model: str) -> Times:
    body = {"model": model, "messages": [{"role": "user", "content": _PROMPT}], "stream": True}
    begun = time.perf_counter()
    with client.stream("POST", "/chat/completions", json=body) as answer:
        answered = time.perf_counter() - begun
        if not answer.is_success:
            sys.exit(f"{answer.status_code}: {answer.read().decode()}")
        arrived = [time.perf_counter() - begun for piece in answer.iter_raw() if piece.strip()]
    return Times(answered, arrived[0], arrived[-1], len(arrived))


def _rows(cold: Times, warm: Sequence[Times]) -> Iterator[list[str]]:
    yield ["the first", *_cells(cold)]
    if warm:
        middle = Times(*(median(each) for each in zip(*warm, strict=True)))
        yield [f"median of {len(warm)}", *_cells(middle)]


def _cells(times: Times) -> list[str]:
    seconds = (times.headers, times.first, times.last)
    return [*(f"{each:.3f}" for each in seconds), f"{times.pieces:.0f}"]


def _given(name: str) -> str:
    if name not in os.environ:
        sys.exit(
            f"Set {name}; `sam list stack-outputs` tells the URL, and the stack's secret has keys."
        )
    return os.environ[name]


if __name__ == "__main__":
    main(sys.argv[1:])
