"""`reasoning_effort` as the thinking of a Claude model, and the room that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from nightmail.parameters import mapping, one_of
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.conversion.claude_abilities import Abilities
from nightmail.providers.direct import JsonObject

# Anthropic requires `max_tokens`. The oldest models write up to 4096, so this suits every model.
_DEFAULT_TOKENS = 4096
_LEAST_BUDGET = 1024
_BUDGETS = {
    "minimal": 1024,
    "low": 1024,
    "medium": 2048,
    "high": 4096,
    "xhigh": 8192,
    "max": 16384,
}


@dataclass(frozen=True, slots=True)
class Thinking:
    """`config` is Anthropic's `thinking`, `effort` that of its `output_config`."""

    max_tokens: int
    config: JsonObject | None = None
    effort: str | None = None

    @property
    def is_on(self) -> bool:
        return self.config is not None and self.config.get("type") != "disabled"


def to_thinking(
    request: ChatRequest, abilities: Abilities, *, forces_tool: bool, awaits_thoughts: bool
) -> Thinking:
    """How much to think, and how many tokens to write with the thoughts.

    Thoughts count towards OpenAI's limit, and towards Anthropic's. Where the caller sets none, they
    get room beside the answer; where one is set, half of it.
    """
    limit, effort = request.token_limit(), _effort(request)
    if "thinking" in request.given:
        config = mapping(request.given["thinking"], "thinking")
        budget = config.get("budget_tokens")
        room = budget if isinstance(budget, int) and budget > 0 else 0
        return Thinking(limit or _DEFAULT_TOKENS + room, config)
    if effort is None:
        return Thinking(limit or _DEFAULT_TOKENS)
    if forces_tool:
        request.leave_out(
            "reasoning_effort", "A model that has to use a tool cannot think before it."
        )
    elif abilities.adaptive_thinking:
        room = limit or _DEFAULT_TOKENS + _BUDGETS[effort]
        return Thinking(room, {"type": "adaptive"}, "low" if effort == "minimal" else effort)
    elif not abilities.budgeted_thinking:
        request.leave_out("reasoning_effort", "The model does not think aloud.")
    elif limit is not None and limit <= _LEAST_BUDGET:
        why = f"Thoughts need more than {_LEAST_BUDGET} tokens: give a greater max_tokens, or none."
        request.leave_out("reasoning_effort", why)
    elif not awaits_thoughts:
        return _budgeted(limit, _BUDGETS[effort])
    return Thinking(limit or _DEFAULT_TOKENS)


def _budgeted(limit: int | None, budget: int) -> Thinking:
    if limit is not None:
        budget = max(_LEAST_BUDGET, min(budget, limit // 2))
    config = {"type": "enabled", "budget_tokens": budget}
    return Thinking(limit or _DEFAULT_TOKENS + budget, config)


def _effort(request: ChatRequest) -> str | None:
    """The wanted effort; None where there is none, or where `thinking` says it all."""
    if "reasoning_effort" not in request.given:
        return None
    effort = one_of(request.given["reasoning_effort"], "reasoning_effort", ("none", *_BUDGETS))
    if "thinking" in request.given:
        request.leave_out("reasoning_effort", "'thinking' says it already.")
    return None if effort == "none" else effort
