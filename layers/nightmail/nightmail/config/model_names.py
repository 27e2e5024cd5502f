"""Names of models: which of them a pattern takes."""

from __future__ import annotations

import re

STAR = "*"


def match_pattern(pattern: str, name: str) -> tuple[str, ...] | None:
    """What each `*` of `pattern` stands for in `name`, or None where it does not take it."""
    found = re.fullmatch("(.*)".join(map(re.escape, pattern.split(STAR))), name)
    return found.groups() if found else None


def fill_stars(model: str, parts: tuple[str, ...]) -> str:
    """`model` with its stars replaced, one after another; without stars it stays as it is."""
    for part in parts if STAR in model else ():
        model = model.replace(STAR, part, 1)
    return model
