"""What lines would use and cost, guessed from what they say: no tokenizer reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from nightmail.bill import TakenLane
from nightmail.cost import Cost
from nightmail.deployment import Deployment
from nightmail.endpoints import EMBEDDINGS, MODERATIONS
from nightmail.lines import Line
from nightmail.usage import Usage

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_BYTES_A_TOKEN = (
    4  # of English text (OpenAI's help center, "What are tokens and how to count them?")
)
_PROMPTS = ("messages", "input", "prompt", "instructions")
_TEXTS = ("content", "text", "tool_calls", "function_call", "function", "arguments", "output")
_FILES = ("image_url", "input_image", "computer_screenshot", "input_audio", "file", "input_file")
_TOOLS = ("tools", "functions")
_MOST_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_WITHOUT_OUTPUT = frozenset({EMBEDDINGS, MODERATIONS})


class Tally(BaseModel):
    """Of some lines. `unlimited` are those that set no limit to their output, which is in no figure;
    no more are the tokens of what the lines `with_files` show beside their text.
    """

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    unlimited: int = 0
    with_files: int = 0
    cost: Cost = Field(default_factory=Cost)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            unlimited=self.unlimited + other.unlimited,
            with_files=self.with_files + other.with_files,
            cost=self.cost + other.cost,
        )

    def at_once(self) -> Tally:
        """The same lines on the direct lane."""
        synchronous = self.cost.synchronous
        return self.model_copy(update={"cost": Cost(amount=synchronous, synchronous=synchronous)})


def tally_of(line: Line, deployment: Deployment, lane: TakenLane, pricer: Pricer) -> Tally:
    """What a line would use where it went to this deployment by this lane, and cost there."""
    body = {**deployment.defaults, **line.body}
    prompts = [body.get(name) for name in _PROMPTS]
    size = sum(_text_bytes(prompt) for prompt in prompts) + _described_bytes(body)
    most = 0 if line.url in _WITHOUT_OUTPUT else _most_output(body)
    usage = Usage(input_tokens=-(-size // _BYTES_A_TOKEN), output_tokens=most or 0)
    return Tally(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        unlimited=most is None,
        with_files=_has_files(prompts),
        cost=pricer(deployment, lane, usage),
    )


def _text_bytes(value: Any) -> int:
    """Bytes of a prompt's text; a number is a token. Images and files count for nothing."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(_text_bytes(entry) for entry in value)
    if isinstance(value, dict):
        return sum(_text_bytes(value.get(name)) for name in _TEXTS)
    return _BYTES_A_TOKEN if type(value) is int else 0


def _described_bytes(body: Mapping[str, Any]) -> int:
    """Bytes of what is said about tools and the answer's form: providers put it before the prompt."""
    text = body.get("text")
    forms = [body.get("response_format"), text.get("format") if isinstance(text, dict) else None]
    schemas = [
        form for form in forms if isinstance(form, dict) and form.get("type") == "json_schema"
    ]
    described = [body[name] for name in _TOOLS if body.get(name)] + schemas
    written = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in described)
    return sum(len(each.encode(errors="replace")) for each in written)


def _has_files(value: Any) -> bool:
    """Whether a prompt has an image, a sound or a file in it."""
    if isinstance(value, list):
        return any(_has_files(entry) for entry in value)
    if isinstance(value, dict):
        return value.get("type") in _FILES or any(_has_files(value.get(name)) for name in _TEXTS)
    return False


def _most_output(body: Mapping[str, Any]) -> int | None:
    """Tokens that a line allows at most, over all its choices."""
    choices = _count(body.get("n")) or 1
    limits = (_count(body.get(name)) for name in _MOST_OUTPUT)
    return next((limit * choices for limit in limits if limit is not None), None)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
