"""The requests that OpenAI's endpoints take: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from local.simulator.checking import ABSENT, Json, Shape
from local.simulator.openai_messages import (
    AnyChoice,
    AnyTool,
    Function,
    FunctionName,
    Message,
    Text,
    UserPart,
)

Count = Annotated[int, Field(ge=1)]
Metadata = Annotated[dict[str, str], Field(max_length=16)]


class AnyFormat(Shape):
    type: Literal["text", "json_object"]


class JsonSchema(Shape):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: Annotated[Json, Field(alias="schema")] = ABSENT
    strict: bool | None = None


class SchemaFormat(Shape):
    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(Shape):
    include_usage: bool = ABSENT
    include_obfuscation: bool = ABSENT


class ChatRequest(Shape):
    model: Text
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: Count | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: str | Annotated[list[str], Field(min_length=1, max_length=4)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: Annotated[AnyFormat | SchemaFormat, Field(discriminator="type")] = ABSENT
    tools: Annotated[list[AnyTool], Field(min_length=1)] = ABSENT
    tool_choice: Literal["none", "auto", "required"] | AnyChoice = ABSENT
    parallel_tool_calls: bool = ABSENT
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: Json | None = None
    prediction: Json | None = None
    web_search_options: Json | None = None
    moderation: Any = None
    seed: int | None = None
    user: str = ABSENT
    safety_identifier: Annotated[str, Field(max_length=64)] = ABSENT
    prompt_cache_key: str = ABSENT
    prompt_cache_retention: str | None = None
    prompt_cache_options: Json | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    functions: list[Function] = ABSENT
    function_call: Literal["none", "auto"] | FunctionName = ABSENT


class CompletionRequest(Shape):
    model: Text
    prompt: str | list[str] | list[int] | list[list[int]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    logit_bias: dict[str, float] | None = None
    suffix: str | None = None
    stop: str | Annotated[list[str], Field(min_length=1, max_length=4)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    user: str = ABSENT


class ResponseRequest(Shape):
    model: Text
    input: str | list[Json]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    max_tool_calls: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[Json] = ABSENT
    tool_choice: str | Json = ABSENT
    parallel_tool_calls: bool = ABSENT
    reasoning: Json | None = None
    text: Json | None = None
    store: bool | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    previous_response_id: str | None = None
    conversation: str | Json | None = None
    background: bool | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    user: str = ABSENT
    safety_identifier: Annotated[str, Field(max_length=64)] = ABSENT
    prompt_cache_key: str = ABSENT
    prompt: Json | None = None
    stream_options: Json | None = None


class EmbeddingRequest(Shape):
    model: Text
    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=2048)]
        | Annotated[list[int], Field(min_length=1, max_length=2048)]
        | Annotated[
            list[Annotated[list[int], Field(min_length=1)]], Field(min_length=1, max_length=2048)
        ]
    )
    encoding_format: Literal["float", "base64"] = ABSENT
    dimensions: Count = ABSENT
    user: str = ABSENT


class ModerationRequest(Shape):
    model: Text = ABSENT
    input: (
        Text
        | Annotated[list[str], Field(min_length=1)]
        | Annotated[list[UserPart], Field(min_length=1)]
    )


REQUESTS: dict[str, type[Shape]] = {
    "/chat/completions": ChatRequest,
    "/completions": CompletionRequest,
    "/responses": ResponseRequest,
    "/embeddings": EmbeddingRequest,
    "/moderations": ModerationRequest,
}
