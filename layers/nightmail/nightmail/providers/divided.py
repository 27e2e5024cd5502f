"""Texts that are embedded one by one, where a provider takes no list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from nightmail.providers.direct import JsonObject


@runtime_checkable
class Divides(Protocol):
    """An adapter of the direct lane that may need several requests for one call of embeddings."""

    def divided(self, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The bodies to send one after the other; `body` alone where one request does. `request` and
        `answer` are asked for these.

        Raises InvalidRequest naming a field.
        """


def joined(answers: Sequence[JsonObject]) -> JsonObject:
    """OpenAI's answer with the embeddings of all, in their order, and the sum of their tokens."""
    if len(answers) == 1:
        return answers[0]
    rows = [row for answer in answers for row in answer["data"]]
    usages = [answer["usage"] for answer in answers]
    return {
        **answers[0],
        "data": [{**row, "index": index} for index, row in enumerate(rows)],
        "usage": {name: sum(usage[name] for usage in usages) for name in usages[0]},
    }
