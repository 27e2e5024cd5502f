"""`reasoning_effort` as Gemini's thinking: a budget of tokens, or from generation 3 on a level.

Source: Google, "Gemini thinking" and "OpenAI compatibility".
"""

from __future__ import annotations

import re

from nightmail.parameters import one_of
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.direct import JsonObject

_EFFORT = "reasoning_effort"
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_FIRST_THAT_THINKS = (2, 5)
_FIRST_WITH_LEVELS = (3, 0)
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}


def to_thinking(request: ChatRequest) -> JsonObject:
    """The `thinkingConfig`; nothing where nobody asks, and the model decides.

    Raises InvalidRequest for an effort that the model has not, unless that is to be dropped.
    """
    if _EFFORT not in request.given:
        return {}
    effort = one_of(request.given[_EFFORT], _EFFORT, _BUDGETS)
    model = request.deployment.model
    if why := _why_not(effort, model):
        request.leave_out(_EFFORT, why)
        return {}
    return _config(effort, model)


def _why_not(effort: str, model: str) -> str | None:
    version = _version_of(model)
    if version < _FIRST_THAT_THINKS:
        return None if effort == "none" else "The model does not think aloud."
    if effort == "none" and (version >= _FIRST_WITH_LEVELS or "-pro" in model):
        return "The model cannot be kept from thinking; 'minimal' is the least."
    return None


def _config(effort: str, model: str) -> JsonObject:
    version = _version_of(model)
    if version < _FIRST_THAT_THINKS:
        return {}
    if version >= _FIRST_WITH_LEVELS:
        return {"includeThoughts": True, "thinkingLevel": effort.upper()}
    return {"includeThoughts": effort != "none", "thinkingBudget": _BUDGETS[effort]}


def _version_of(model: str) -> tuple[int, int]:
    """A name without a version is taken for the oldest that thinks: newer models know budgets too."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _FIRST_THAT_THINKS
