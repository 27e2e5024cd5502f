"""Figures that can be compared: every contender in turn, again and again, and the medians of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from bench.client import Cost

Name = TypeVar("Name", bound=Hashable)


def interleave(contenders: Mapping[Name, Callable[[], Cost]], rounds: int) -> dict[Name, Cost]:
    """The median costs. Each round begins with another contender; one more goes before, to warm up."""
    costs: dict[Name, list[Cost]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            cost = contenders[name]()
            if turn:
                costs[name].append(cost)
    return {name: median_of(measured) for name, measured in costs.items()}


def median_of(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.seconds for cost in costs), median(cost.cpu_seconds for cost in costs))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    _print_row(head, widths)
    print("|".join(["", *("-" * (width + 2) for width in widths), ""]))
    for row in rows:
        _print_row(row, widths)


def _print_row(cells: Sequence[str], widths: Sequence[int]) -> None:
    first, *others = (
        f"{cell:>{width}}" if place else f"{cell:<{width}}"
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    print("|", " | ".join([first, *others]), "|")
