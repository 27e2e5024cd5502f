"""Short texts that read sensibly for a human, chosen by the prompt alone.

Nothing here understands anything: a few patterns tell a classification, an extraction, a rewriting
and a question apart, so that a demonstration does not answer everything with the same sentence.
"""

from __future__ import annotations

import re

_LABELS = re.compile(
    r"(?:one of|as|into|either)(?: exactly one of)?:? ((?:[\w-]+(?:, | or |, or |/))+[\w-]+)"
)
_FACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+|[$€£]\s?\d[\d.,]*\d|\d[\d.,:/-]*\d|(?:[A-Z][\w'-]+)(?: [A-Z][\w'-]+)+"
)
_GOOD = {"love", "great", "excellent", "happy", "thanks", "perfect", "wonderful", "recommend"}
_BAD = {"hate", "broken", "terrible", "bad", "late", "refund", "angry", "worst", "awful", "never"}


def compose(instructions: str, text: str, digest: str) -> str:
    """An answer to a text, under the instructions that came before it."""
    asked = f"{instructions} {text}"
    wanted = asked.lower()
    if re.search(r"classif|categor|sentiment|label", wanted):
        return _classification(asked, text, digest)
    if re.search(r"extract|find all|pull out", wanted):
        return _extraction(text)
    if re.search(r"rewrite|rephrase|polish|shorten|summar|improve", wanted):
        return _rewriting(text)
    if re.search(r"how (?:many|much)|calculate|total", wanted):
        return f"Adding it up step by step, the answer is {int(digest[:2], 16)}."
    return f"In short, about “{_beginning(text)}”: it depends on the details, but yes."


def filler(count: int) -> list[str]:
    """That many words, for an answer whose length matters and whose sense does not."""
    return [f"word{number}" for number in range(1, count + 1)]


def _classification(asked: str, text: str, digest: str) -> str:
    found = _LABELS.search(asked)
    labels = (
        re.split(r", or | or |, |/", found[1]) if found else ["positive", "negative", "neutral"]
    )
    words = set(re.findall(r"\w+", text.lower()))
    for label, signs in (("positive", _GOOD), ("negative", _BAD)):
        if label in labels and words & signs:
            return label
    mentioned = [label for label in labels if label.lower() in words]
    return mentioned[0] if mentioned else labels[int(digest, 16) % len(labels)]


def _extraction(text: str) -> str:
    facts = list(dict.fromkeys(_FACT.findall(text)))
    return "Found: " + "; ".join(facts) if facts else "Nothing to extract."


def _rewriting(text: str) -> str:
    body = text.split(":", 1)[-1] if text.find(":") in range(60) else text
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+", body) if part.strip()]
    first = sentences[0] if sentences else "Nothing was given."
    return first[0].upper() + first[1:]


def _beginning(text: str) -> str:
    words = re.sub(r"\[\[[^\]]*\]\]", "", text).split()
    return " ".join(words[:10]) + ("…" if len(words) > 10 else "")  # noqa: PLR2004
