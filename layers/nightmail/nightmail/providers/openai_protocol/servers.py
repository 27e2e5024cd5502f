"""What tells one server that speaks OpenAI's protocol from another: where it is, and what it has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS, RESPONSES


@dataclass(frozen=True, slots=True)
class Rules:
    """How the requests of one endpoint differ from OpenAI's.

    `unsupported` names parameters that the server has not, `ours` those that it has not and whose
    work is done here: usage at a stream's end, embeddings in base64. One that no rule names is passed
    on: the server knows best.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    unsupported: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()


MAX_TOKENS = Rules(renamed={"max_completion_tokens": "max_tokens"})
USAGE_COMES_ANYWAY = frozenset({"stream_options"})
_AS_OPENAI = Rules()


def as_openai(*endpoints: str) -> dict[str, Rules]:
    """Endpoints whose requests differ in nothing."""
    return dict.fromkeys(endpoints, _AS_OPENAI)


@dataclass(frozen=True, slots=True)
class Server:
    """`base` is its URL, where it has one of its own; `is_under_v1` says that a URL without a path
    means its `/v1`. `model_prefix` stands before model names that have no slash. One that `is_exact`
    takes all of OpenAI's forms, the others get the plainest.
    """

    base: str | None = None
    endpoints: Mapping[str, Rules] = field(
        default_factory=lambda: as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES, MODERATIONS)
    )
    is_under_v1: bool = False
    is_exact: bool = False
    model_prefix: str = ""
