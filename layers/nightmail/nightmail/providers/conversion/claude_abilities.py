"""What a Claude model can do, told by the generation in its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# claude-3-7-sonnet-20250219, claude-opus-4-1, claude-sonnet-4.5, claude-2; a date is no version.
_VERSION = re.compile(r"claude\D*(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_FIRST_WITH_BUDGET = (3, 7)
_FIRST_WITH_SCHEMAS = (4, 5)
_FIRST_ADAPTIVE = (4, 6)
_LAST_WITH_SAMPLING = (4, 6)


@dataclass(frozen=True, slots=True)
class Abilities:
    """Sources: Anthropic's pages on extended and adaptive thinking, structured outputs, migration."""

    adaptive_thinking: bool
    """It is told how hard to think, not for how many tokens."""
    budgeted_thinking: bool
    """It is told for how many tokens to think."""
    schemas: bool
    """It can be held to a JSON schema: `output_config.format`, and `strict` of a tool."""
    sampling: bool
    """It takes `temperature`, `top_p` and `top_k`."""


# A name that tells nothing is a new model, or a private one, whose server knows best.
_UNKNOWN = Abilities(adaptive_thinking=True, budgeted_thinking=False, schemas=True, sampling=True)


@lru_cache(maxsize=256)
def abilities_of(model: str) -> Abilities:
    """What the model of this name can do."""
    found = _VERSION.search(model.lower())
    if found is None:
        return _UNKNOWN
    version = (int(found[1]), int(found[2] or 0))
    adaptive = version >= _FIRST_ADAPTIVE
    return Abilities(
        adaptive_thinking=adaptive,
        budgeted_thinking=version >= _FIRST_WITH_BUDGET and not adaptive,
        schemas=version >= _FIRST_WITH_SCHEMAS,
        sampling=version <= _LAST_WITH_SAMPLING,
    )
