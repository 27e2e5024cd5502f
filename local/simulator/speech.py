"""What a model says, whatever protocol it is asked in: a function of what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from local.simulator import phrases, structured
from local.simulator.markers import How, Markers
from local.simulator.prompts import count_words

Json = dict[str, Any]
End = Literal["stop", "stop_sequence", "length", "tools", "empty", "refusal", "filter"]

REFUSAL = "I can't help with that."
# How many tokens of reasoning an effort stands for.
EFFORTS = {"none": 0, "minimal": 4, "low": 8, "medium": 16, "high": 32, "xhigh": 64, "max": 128}


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Json


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`number` counts from 1 within an answer."""

    number: int
    name: str
    arguments: Json

    @property
    def as_text(self) -> str:
        return orjson.dumps(self.arguments).decode()


@dataclass(kw_only=True)
class Asked:
    """A request, in no provider's words.

    `texts` are the prompt's, `instructions` those before it; the last one may hold markers. `choice` is
    the name of the tool that has to be called, or whether one has to be; null leaves it to the model.
    `schema` is that of an answer in JSON, `{}` where any will do. `limit` counts words.
    """

    digest: str
    texts: list[str]
    tools: list[Tool] = field(default_factory=list)
    choice: str | bool | None = None
    parallel: bool = True
    schema: Json | None = None
    limit: int | None = None
    stops: list[str] = field(default_factory=list)
    thinking: int = 0

    @cached_property
    def markers(self) -> Markers:
        return Markers(self.texts[-1] if self.texts else "")

    @property
    def tag(self) -> str:
        return f"[sim {self.digest}]"

    @property
    def composed(self) -> str:
        *before, last = self.texts or [""]
        return phrases.compose(" ".join(before), last, self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer, in no provider's words; all counts are tokens, which are words here.

    `read` is without what came from a cache (`cached`) and went into one (`written`); `wrote` is without
    the reasoning. `stop` is the stop sequence that ended it.
    """

    end: End
    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    stop: str | None = None
    read: int
    cached: int
    written: int

    @property
    def wrote(self) -> int:
        return count_words([self.text, *(f"{call.name} {call.as_text}" for call in self.calls)])


def speak(asked: Asked, withheld: How | None = None) -> Said:
    """`withheld` leaves out the answer, as a marker in the prompt does."""
    markers = asked.markers
    end: End = "stop"
    text, stop, calls = "", None, _calls(asked)
    if how := withheld or markers.withheld:
        end, calls = how, []
        text = REFUSAL if how == "refusal" else ""
    elif calls:
        end = "tools"
    elif asked.schema is not None:
        text = structured.compose_json(asked.schema, asked.composed, asked.tag)
    else:
        text, end, stop = _text(asked)
    return Said(
        end=end,
        text=text,
        calls=calls,
        thinking=phrases.filler(max(asked.thinking, markers.thinking)),
        stop=stop,
        read=count_words(asked.texts),
        cached=markers.cached,
        written=markers.written,
    )


def _text(asked: Asked) -> tuple[str, End, str | None]:
    """The text, and why it ends. The tag is there even where the text is cut."""
    composed, stop = asked.composed, None
    end: End = "stop"
    if asked.markers.words:
        composed = " ".join(phrases.filler(asked.markers.words - len(asked.tag.split())))
    found = {one: composed.find(one) for one in asked.stops if one in composed}
    if found:
        stop = min(found, key=found.__getitem__)
        composed, end = composed[: found[stop]].rstrip(), "stop_sequence"
    words = composed.split(" ")
    if asked.limit is not None and asked.limit < len(words):
        words, end, stop = words[: asked.limit], "length", None
    return " ".join([*words, asked.tag]).strip(), end, stop


def _calls(asked: Asked) -> list[ToolCall]:
    markers = asked.markers
    if not asked.tools or asked.choice is False or not (asked.choice or markers.calls):
        return []
    wanted = asked.choice if isinstance(asked.choice, str) else markers.tool
    tools = [tool for tool in asked.tools if tool.name == wanted] or asked.tools
    count = max(markers.calls, 1) if asked.parallel else 1
    return [
        _call(number, tools[(number - 1) % len(tools)], asked) for number in range(1, count + 1)
    ]


def _call(number: int, tool: Tool, asked: Asked) -> ToolCall:
    arguments = structured.example(tool.schema, asked.composed)
    return ToolCall(number, tool.name, arguments if isinstance(arguments, dict) else {})
