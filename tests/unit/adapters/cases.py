"""What every adapter of the direct lane is asked and has to answer, in OpenAI's words.

An adapter joins the suite by one module that fills `AdapterSamples` with its provider's own bytes;
`table` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nightmail.deployment import Deployment
from nightmail.providers.direct import DirectProvider

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"

PUBLIC_MODEL = "public-name"
KEY = "the provider's key, which looks like nothing"
URL = "http://10.0.0.7:8080/v1/private"

# What the samples' answers say.
TEXT = "Hello there."
TOOL_CALLS = (("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"}))
PROMPT_TOKENS, COMPLETION_TOKENS = 12, 5
LONG_PROMPT_TOKENS, CACHED_TOKENS = 100, 40
LONG_COMPLETION_TOKENS, REASONING_TOKENS = 50, 30
INPUTS = ("one", "two")
VECTORS = ([0.25, -0.5], [1.0, 0.0])  # 32-bit floats hold these exactly
EMBEDDING_TOKENS = 4


@dataclass(frozen=True)
class Spec:
    """Where a published description of the provider's requests lies: a file of ../shared/specs.

    `chat` and `embeddings` are paths of it.
    """

    file: str
    chat: str
    embeddings: str | None = None


@dataclass(frozen=True, repr=False)
class AdapterSamples:
    """One provider's own bytes for what the suite asks; every answer is of status 200 unless said.

    `plain` and `stream_plain` say TEXT in answer to PROMPT_TOKENS tokens, in COMPLETION_TOKENS; a
    stream says it in at least two pieces. `tools` and `stream_tools` make TOOL_CALLS, the stream's
    arguments in several pieces where the provider cuts them. `long_usage` has LONG_PROMPT_TOKENS, CACHED_TOKENS of them cached,
    and LONG_COMPLETION_TOKENS, REASONING_TOKENS of them reasoning.
    """

    provider: str
    model: str
    """The provider's own name of the model, in the requests and in the answers."""
    open: Callable[[Deployment, str | None], DirectProvider]
    plain: bytes
    tools: bytes
    long_usage: bytes
    stream_plain: bytes
    stream_tools: bytes
    finish_reasons: Mapping[str, list[bytes]]
    """OpenAI's word, and the whole answers that mean it."""
    error: Callable[[int, str], bytes]
    """The body of an error of this status that says these words."""
    stream_error: bytes
    """A stream that says the first half of TEXT, and then an error (overloaded, or a 5xx)."""
    error_in_success: bytes | None = None
    """A body of status 200 that tells an error, where the provider may do that."""
    quota: bytes | None = None
    """The body of a 429 that waiting never heals, where the provider tells."""
    embeddings: bytes | None = None
    """VECTORS for INPUTS in `embedding_tokens`; None where the provider has no embeddings."""
    embedding_tokens: int = EMBEDDING_TOKENS
    has_stream_in_url: bool = False
    """Whether a stream is asked for by the URL, and not by a field of the request."""
    is_stream_of_text: bool = True
    """Whether a stream is one of server-sent events."""
    has_reasoning_tokens: bool = True
    has_cached_tokens: bool = True
    cache_write_tokens: int = 0
    """How many of `long_usage` were written to a cache."""
    refused: frozenset[str] = frozenset()
    """Those of PARAMETERS that the provider has not."""
    refused_features: Mapping[str, str] = field(default_factory=dict)
    """Names of FEATURES that the provider has not, and what its refusal says."""
    api_base: str | None = None
    spec: Spec | None = None
    reworded: frozenset[str] = frozenset()
    """Names of FEATURES and PARAMETERS that the provider is told in other words, so that the suite
    does not look for their values (the adapter's own tests do)."""
    undescribed: frozenset[str] = frozenset()
    """Names of FEATURES and PARAMETERS that the service takes and its description does not; each
    with its reason beside it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that every request to this provider needs besides OpenAI's."""

    def deployment(self, **changed: Any) -> Deployment:
        fields: dict[str, Any] = {
            "name": PUBLIC_MODEL,
            "provider": self.provider,
            "model": self.model,
            "api_base": self.api_base,
            "api_key": "os.environ/KEY",
        }
        return Deployment(**(fields | changed))

    def adapter(self, **changed: Any) -> DirectProvider:
        """The adapter of a deployment with these fields `changed`."""
        return self.open(self.deployment(**changed), KEY)


@dataclass(frozen=True)
class Feature:
    """A request of chat beside `model`; `carries` are texts that the provider's request holds too."""

    name: str
    body: Mapping[str, Any]
    carries: tuple[str, ...] = ()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def tool(name: str, **more: Any) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Which city"}},
        "required": ["city"],
    }
    function = {"name": name, "description": "The weather of today", "parameters": parameters}
    return {"type": "function", "function": function | more}


def tool_call(identity: str, city: str) -> dict[str, Any]:
    arguments = f'{{"city": "{city}"}}'
    return {
        "id": identity,
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    }


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}
QUESTION = [user("What is the weather?")]
WITH_TOOLS = {"messages": QUESTION, "tools": [tool("get_weather"), tool("get_time")]}

FEATURES = (
    Feature("a question", {"messages": QUESTION}, ("What is the weather?",)),
    Feature(
        "a system prompt",
        {"messages": [{"role": "system", "content": "Be brief."}, *QUESTION]},
        ("Be brief.",),
    ),
    Feature(
        "system and developer prompts",
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "Speak Danish."}]},
                *QUESTION,
            ]
        },
        ("Be brief.", "Speak Danish."),
    ),
    Feature(
        "a conversation",
        {
            "messages": [
                user("Hi."),
                {"role": "assistant", "content": "Good day."},
                user([{"type": "text", "text": "And now?"}]),
            ]
        },
        ("Hi.", "Good day.", "And now?"),
    ),
    Feature(
        "an image by a data URL",
        {
            "messages": [
                user(
                    [
                        {"type": "text", "text": "What is this?"},
                        {
                            "type": "image_url",
                            "image_url": {"url": f"data:image/png;base64,{PNG}"},
                        },
                    ]
                )
            ]
        },
        ("What is this?", PNG, "image/png"),
    ),
    Feature(
        "an image by a URL",
        {
            "messages": [
                user(
                    [
                        {
                            "type": "image_url",
                            "image_url": {"url": "https://images.example/a.png", "detail": "low"},
                        }
                    ]
                )
            ]
        },
        ("https://images.example/a.png",),
    ),
    Feature("tools", WITH_TOOLS, ("get_weather", "get_time", "The weather of today", "Which city")),
    Feature(
        "a tool without parameters",
        {"messages": QUESTION, "tools": [{"type": "function", "function": {"name": "now"}}]},
        ("now",),
    ),
    Feature("tools that may be called", {**WITH_TOOLS, "tool_choice": "auto"}, ("get_time",)),
    Feature("tools that must be called", {**WITH_TOOLS, "tool_choice": "required"}, ("get_time",)),
    Feature("tools that must not be called", {**WITH_TOOLS, "tool_choice": "none"}),
    Feature(
        "one named tool",
        {
            **WITH_TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
        ("get_weather",),
    ),
    Feature(
        "the results of two tools that were called at once",
        {
            "tools": [tool("get_weather")],
            "messages": [
                *QUESTION,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [tool_call("call_1", "Oslo"), tool_call("call_2", "Rome")],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "snow"},
                {
                    "role": "tool",
                    "tool_call_id": "call_2",
                    "content": [{"type": "text", "text": "sunshine"}],
                },
                user("Which is nicer?"),
            ],
        },
        ("call_1", "call_2", "Oslo", "Rome", "snow", "sunshine", "Which is nicer?"),
    ),
    Feature(
        "a JSON object",
        {"messages": [user("Answer in JSON.")], "response_format": {"type": "json_object"}},
        ("Answer in JSON.",),
    ),
    Feature(
        "JSON of a schema",
        {
            "messages": QUESTION,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
            },
        },
        ("colour",),
    ),
    Feature("a text", {"messages": QUESTION, "response_format": {"type": "text"}}),
    Feature("one word that ends it", {"messages": QUESTION, "stop": "HALT"}, ("HALT",)),
    Feature(
        "words that end it", {"messages": QUESTION, "stop": ["HALT", "BASTA"]}, ("HALT", "BASTA")
    ),
    Feature("parameters of null", {"messages": QUESTION, "stop": None, "temperature": None}),
)

# One at a time beside a question: the provider's request holds the value, or the name is refused.
PARAMETERS: Mapping[str, Any] = {
    "frequency_penalty": 0.625,
    "logit_bias": {"1734": 7},
    "logprobs": True,
    "max_completion_tokens": 4321,
    "max_tokens": 4322,
    "n": 3,
    "presence_penalty": 0.375,
    "reasoning_effort": "low",
    "seed": 8675309,
    "service_tier": "flex",
    "store": True,
    "temperature": 0.25,
    "top_p": 0.875,
    "user": "user-4711",
    "verbosity": "low",
}
