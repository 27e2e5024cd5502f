"""Names of models: who the provider is, and which names a pattern takes."""

from __future__ import annotations

import re

STAR = "*"
# Names without a provider that LiteLLM's users are used to; any other has to name its provider.
_KNOWN = (
    (
        "openai",
        re.compile(
            r"gpt-|chatgpt-|o\d|text-embedding-|(omni|text)-moderation-|(davinci|babbage)-002|ft:|codex-"
        ),
    ),
    ("anthropic", re.compile(r"claude-")),
)


def split_model(model: str, provider: str | None = None) -> tuple[str, str] | None:
    """`openai/gpt-4o` as provider and the provider's own name, or None where no provider is known.

    Where `provider` is given, the whole name is the provider's own, slashes and all.
    """
    if provider:
        own = model.removeprefix(f"{provider}/")
        return (provider, own) if own else None
    before, slash, after = model.partition("/")
    if slash:
        return (before, after) if before and after else None
    return next(((known, model) for known, names in _KNOWN if names.match(model)), None)


def match_pattern(pattern: str, name: str) -> tuple[str, ...] | None:
    """What each `*` of `pattern` stands for in `name`, or None where it does not take it."""
    found = re.fullmatch("(.*)".join(map(re.escape, pattern.split(STAR))), name)
    return found.groups() if found else None


def fill_stars(model: str, parts: tuple[str, ...]) -> str:
    """`model` with its stars replaced, one after another; without stars it stays as it is."""
    for part in parts if STAR in model else ():
        model = model.replace(STAR, part, 1)
    return model
