"""`temperature`, `top_p` and `top_k`: where and within which limits a Claude model takes
them.
"""

from __future__ import annotations

from nightmail.parameters import integer, number
from nightmail.providers.conversion.chat_request import ChatRequest
from nightmail.providers.conversion.claude_abilities import Abilities
from nightmail.providers.direct import JsonObject

_OPENAI_HOTTEST = 2
_HOTTEST = 1
_MOST_TOP_K = 1_000_000
_DEFAULTS = {"temperature": 1, "top_p": 1}
# What a model still takes that thinks, or that is newer than sampling parameters.
_LEAST_TOP_P_WITH_THOUGHTS = 0.95
_LEAST_TOP_P_OF_NEW_MODELS = 0.99


def to_sampling(request: ChatRequest, abilities: Abilities, *, thinks: bool) -> JsonObject:
    """The sampling parameters that go out.

    One that has its default is left out: newer models refuse a temperature beside a top_p.
    """
    wanted = {
        "temperature": _temperature(request),
        "top_p": _number(request, "top_p", 1),
        "top_k": _top_k(request),
    }
    return {
        name: value
        for name, value in wanted.items()
        if value is not None
        and value != _DEFAULTS.get(name)
        and _takes(request, abilities, name, value, thinks=thinks)
    }


def _temperature(request: ChatRequest) -> float | None:
    value = _number(request, "temperature", _OPENAI_HOTTEST)
    if value is not None and value > _HOTTEST:
        request.leave_out("temperature", "The model takes 0 to 1.")
        return None
    return value


def _top_k(request: ChatRequest) -> int | None:
    value = request.given.get("top_k")
    return None if value is None else integer(value, "top_k", 0, _MOST_TOP_K)


def _number(request: ChatRequest, name: str, most: float) -> float | None:
    value = request.given.get(name)
    return None if value is None else number(value, name, 0, most)


def _takes(
    request: ChatRequest, abilities: Abilities, name: str, value: float, *, thinks: bool
) -> bool:
    """Whether the model takes this value; one that it refuses is left out, or raised."""
    if not abilities.sampling:
        least, why = _LEAST_TOP_P_OF_NEW_MODELS, "The model samples as it sees fit."
    elif thinks:
        least, why = _LEAST_TOP_P_WITH_THOUGHTS, "A model that thinks samples as it sees fit."
    else:
        return True
    if name == "top_p" and value >= least:
        return True
    request.leave_out(name, why)
    return False
