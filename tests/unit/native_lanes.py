"""The native lanes that live through the suite of whole lives. Another provider is a line more.

What is said of each is where its calls go, so that faults can strike them, and what it cannot do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nightmail.providers.anthropic.batch_format import AnthropicFormat
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

from tests.unit.machine import Json


@dataclass(frozen=True)
class NativeLane:
    """One provider: the paths of its calls at the simulator, and the class that has its limits.

    `keeps_tags`: a batch that was started can be told from all others. `validates`: it may fail a
    batch that it has taken. `upload` is a call before the one that pays, if there is one. `explains`: of a batch
    that failed it says what was wrong, line by line, in OpenAI's words.
    """

    provider: str
    batches: str
    batch: str
    results: str
    format: type
    keeps_tags: bool
    validates: bool
    upload: str | None = None
    explains: bool = True

    @property
    def create(self) -> Json:
        return {"provider": self.provider, "method": "POST", "path": self.batches}

    @property
    def list(self) -> Json:
        return {"provider": self.provider, "method": "GET", "path": self.batches}

    @property
    def poll(self) -> Json:
        return {"provider": self.provider, "method": "GET", "path": self.batch}

    @property
    def cancel(self) -> Json:
        return {"provider": self.provider, "method": "POST", "path": f"{self.batch}/cancel"}

    @property
    def content(self) -> Json:
        return {"provider": self.provider, "method": "GET", "path": self.results}

    @property
    def calls(self) -> dict[str, Json]:
        """The calls of a batch's good life, by their names."""
        upload = {"upload": {"provider": self.provider, "method": "POST", "path": self.upload}}
        calls = {"create": self.create, "poll": self.poll, "content": self.content}
        return {**(upload if self.upload else {}), **calls}


OPENAI = NativeLane(
    "openai",
    batches="/batches",
    batch="/batches/batch_*",
    results="/files/*/content",
    format=OpenAIFormat,
    keeps_tags=True,
    validates=True,
    upload="/files",
)
ANTHROPIC = NativeLane(
    "anthropic",
    batches="/messages/batches",
    batch="/messages/batches/" + "[!/]" * 33,
    results="/messages/batches/*/results",
    format=AnthropicFormat,
    keeps_tags=False,
    validates=False,
)
TOGETHER = NativeLane(
    "together_ai",
    batches="/batches",
    batch="/batches/" + "[!/]" * 36,
    results="/files/*/content",
    format=OpenAIFormat,
    keeps_tags=True,
    validates=True,
    upload="/files/upload",
    explains=False,
)
AZURE = replace(OPENAI, provider="azure")
NATIVE_LANES = {lane.provider: lane for lane in (OPENAI, ANTHROPIC, AZURE, TOGETHER)}
KILLED = ("openai", "anthropic")
"""Of those, who lives through a kill at each call: one whose batches are tagged, and one whose are not.

To the steps the others are like one of these two, and so many lives take minutes.
"""
