"""Parameters that a model's maker decides on: how to sample, and how hard to think.

Converse takes some of them itself, and passes the others on as they are
(`additionalModelRequestFields`). Sources: the Bedrock User Guide, "Extended thinking", "Adaptive
thinking" and "OpenAI models".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from nightmail.parameters import boolean, number, one_of
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.conversion.claude_abilities import abilities_of
from nightmail.providers.conversion.claude_sampling import to_sampling
from nightmail.providers.conversion.claude_thinking import to_thinking
from nightmail.providers.direct import JsonObject

OF_THE_MODEL = ("reasoning_effort", "thinking", "top_k")
_ONE_CALL: JsonObject = {"disable_parallel_tool_use": True}
_CLAUDE = re.compile(r"\bclaude\b")
_TOLD_HOW_HARD = re.compile(r"\bgpt-oss\b|\bdeepseek\b")
_EFFORT = "reasoning_effort"
_OPENAI_HOTTEST, _HOTTEST = 2, 1
# Those models know three.
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the model is told: in `inferenceConfig`, in `outputConfig`, and by names of its own."""

    inference: JsonObject = field(default_factory=dict)
    output: JsonObject = field(default_factory=dict)
    own: JsonObject = field(default_factory=dict)


def tell(request: ChatRequest, turns: list[JsonObject], tools: JsonObject | None) -> Told:
    """`tools` is the request's `toolConfig`.

    Raises InvalidRequest for what the model has not, unless that is to be dropped.
    """
    model = request.deployment.model.lower()
    if _CLAUDE.search(model):
        return _claude(request, turns, tools or {})
    if not _takes_several_calls(request):
        request.leave_out("parallel_tool_calls", "bedrock has no such parameter.")
    own = {name: request.given[name] for name in OF_THE_MODEL if name in request.given}
    if _TOLD_HOW_HARD.search(model) and _EFFORT in own:
        own |= _effort(own.pop(_EFFORT), request)
    return Told(inference=_sampling(request), own=own)


def _claude(request: ChatRequest, turns: list[JsonObject], tools: JsonObject) -> Told:
    forces_tool = "toolChoice" in tools
    abilities = abilities_of(request.deployment.model)
    thinking = to_thinking(
        request, abilities, forces_tool=forces_tool, awaits_thoughts=_awaits_thoughts(turns)
    )
    sampling = to_sampling(request, abilities, thinks=thinking.is_on)
    inference = {"temperature": sampling.get("temperature"), "topP": sampling.get("top_p")}
    own = {"thinking": thinking.config, "top_k": sampling.get("top_k")}
    if tools and not _takes_several_calls(request):
        # Beside Converse's own choice there may be no other one.
        own["tool_choice"] = _ONE_CALL if forces_tool else {"type": "auto", **_ONE_CALL}
    return Told(_given(inference), _given({"effort": thinking.effort}), _given(own))


def _takes_several_calls(request: ChatRequest) -> bool:
    return boolean(request.given.get("parallel_tool_calls", True), "parallel_tool_calls")


def _awaits_thoughts(turns: list[JsonObject]) -> bool:
    """Whether the model goes on after tool results without the thoughts that led to the calls."""
    last, before = turns[-1]["content"], turns[-2]["content"] if turns[1:] else []
    resumes = any("toolResult" in block for block in last)
    return resumes and not any("reasoningContent" in block for block in before)


def _effort(effort: Any, request: ChatRequest) -> JsonObject:
    wanted = one_of(effort, _EFFORT, ("none", *_EFFORTS))
    if wanted in _EFFORTS:
        return {_EFFORT: _EFFORTS[wanted]}
    request.leave_out(_EFFORT, "The model cannot be kept from thinking; 'low' is the least.")
    return {}


def _sampling(request: ChatRequest) -> JsonObject:
    top_p = request.given.get("top_p")
    if top_p is not None:
        number(top_p, "top_p", 0, 1)
    return _given({"temperature": _temperature(request), "topP": top_p})


def _temperature(request: ChatRequest) -> float | None:
    if "temperature" not in request.given:
        return None
    value = number(request.given["temperature"], "temperature", 0, _OPENAI_HOTTEST)
    if value > _HOTTEST:
        request.leave_out("temperature", "bedrock takes 0 to 1.")
        return None
    return value


def _given(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}
