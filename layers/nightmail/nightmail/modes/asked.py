"""What is asked for, checked and in our own words. `body` is always OpenAI's, without our fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nightmail.endpoints import CHAT

DEFAULT_CONCURRENCY = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """How hard a model is tried. None leaves a value to the config.

    `timeout_seconds` is one try's; `fallbacks` are names of models.
    """

    timeout_seconds: float | None = None
    num_retries: int | None = None
    fallbacks: tuple[str, ...] | None = None


class ModelRequest(NamedTuple):
    """One request to one model. `stream` says how it is to be answered, and is not in the body."""

    model: str
    body: Mapping[str, Any]
    terms: Terms = Terms()
    endpoint: str = CHAT
    stream: bool = False


class Item(NamedTuple):
    """One of many prompts: `body` is a whole chat request with its `model`, as in a batch's line."""

    custom_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ManyPrompts:
    """Many prompts to one model."""

    model: str
    items: Sequence[Item]
    terms: Terms
    max_concurrency: int
    stream: bool


@dataclass(frozen=True, slots=True)
class OnePrompt:
    """One prompt to many models: `fastest` asks for the first success, else for all answers.

    `hedge_after_seconds` belongs to `fastest`: the time a model has before the next one starts.
    """

    models: Sequence[str]
    body: Mapping[str, Any]
    terms: Terms
    stream: bool
    fastest: bool
    hedge_after_seconds: float | None = None
    max_concurrency: int = DEFAULT_CONCURRENCY

    def requests(self) -> list[ModelRequest]:
        """One for each model, in their order."""
        return _crossed([self.body], self.models, self.terms, stream=self.stream)

    def places(self) -> list[dict[str, int]]:
        """Where each of the requests belongs."""
        return [{"index": index} for index in range(len(self.models))]


@dataclass(frozen=True, slots=True)
class Grid:
    """Many prompts to each of the models; `bodies` has one for each prompt.

    `flat`: one model was asked for by its name, not by a list, and so the answers are one list.
    """

    models: Sequence[str]
    bodies: Sequence[Mapping[str, Any]]
    terms: Terms
    max_concurrency: int
    stream: bool
    flat: bool

    def requests(self) -> list[ModelRequest]:
        """Prompt by prompt, and for each one model by model."""
        return _crossed(self.bodies, self.models, self.terms, stream=self.stream)

    def places(self) -> list[dict[str, int]]:
        """Where each of the requests belongs."""
        return [
            {"prompt": prompt, "index": index}
            for prompt in range(len(self.bodies))
            for index in range(len(self.models))
        ]


ChatRequest = ModelRequest | OnePrompt | Grid


def _crossed(
    bodies: Sequence[Mapping[str, Any]], models: Sequence[str], terms: Terms, *, stream: bool
) -> list[ModelRequest]:
    return [
        ModelRequest(model, {**body, "model": model}, terms, CHAT, stream)
        for body in bodies
        for model in models
    ]
