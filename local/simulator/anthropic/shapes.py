"""The request that the Messages API takes: https://docs.claude.com/en/api/messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, ConfigDict, Field

from local.simulator.checking import ABSENT, Json, Shape

Text = Annotated[str, Field(min_length=1)]
ToolId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
# JSON has no bytes, so a strict shape would take none.
Base64 = Annotated[Base64Bytes, Field(strict=False)]
WebUrl = Annotated[str, Field(pattern=r"^https://")]


class CacheControl(Shape):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = ABSENT


class Block(Shape):
    cache_control: CacheControl | None = None


class TextBlock(Block):
    type: Literal["text"]
    text: Text
    citations: list[Json] | None = None


class ImageData(Shape):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Base64


class DocumentData(Shape):
    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Base64


class PlainText(Shape):
    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class LinkedSource(Shape):
    type: Literal["url"]
    url: WebUrl


class FileSource(Shape):
    type: Literal["file"]
    file_id: Text


class ContentSource(Shape):
    type: Literal["content"]
    content: str | list[Json]


class ImageBlock(Block):
    type: Literal["image"]
    source: Annotated[ImageData | LinkedSource | FileSource, Field(discriminator="type")]


class DocumentBlock(Block):
    type: Literal["document"]
    source: Annotated[
        DocumentData | PlainText | LinkedSource | FileSource | ContentSource,
        Field(discriminator="type"),
    ]
    title: str | None = None
    context: str | None = None
    citations: Json | None = None


class ToolUseBlock(Block):
    type: Literal["tool_use"]
    id: ToolId
    name: Annotated[str, Field(min_length=1, max_length=200)]
    input: Json
    caller: Json = ABSENT


class ToolResultBlock(Block):
    type: Literal["tool_result"]
    tool_use_id: ToolId
    content: (
        str | list[Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]]
    ) = ABSENT
    is_error: bool = ABSENT


class ThinkingBlock(Shape):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Shape):
    type: Literal["redacted_thinking"]
    data: str


class UserMessage(Shape):
    role: Literal["user"]
    content: (
        str
        | list[
            Annotated[
                TextBlock | ImageBlock | DocumentBlock | ToolResultBlock,
                Field(discriminator="type"),
            ]
        ]
    )


class AssistantMessage(Shape):
    role: Literal["assistant"]
    content: (
        str
        | list[
            Annotated[
                TextBlock | ToolUseBlock | ThinkingBlock | RedactedThinkingBlock | DocumentBlock,
                Field(discriminator="type"),
            ]
        ]
    )


class InputSchema(Shape):
    model_config = ConfigDict(extra="allow")

    type: Literal["object"]


class Tool(Block):
    type: Literal["custom"] = ABSENT
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: str = ABSENT
    input_schema: InputSchema
    strict: bool = ABSENT


class ChosenKind(Shape):
    type: Literal["auto", "any"]
    disable_parallel_tool_use: bool = ABSENT


class ChosenTool(Shape):
    type: Literal["tool"]
    name: Text
    disable_parallel_tool_use: bool = ABSENT


class ChosenNone(Shape):
    type: Literal["none"]


class ThinkingOn(Shape):
    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024)]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingAdaptive(Shape):
    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingOther(Shape):
    type: Literal["disabled", "between_tools"]


class JsonFormat(Shape):
    type: Literal["json_schema"]
    schema_: Annotated[Json, Field(alias="schema")]


class OutputConfig(Shape):
    effort: Literal["low", "medium", "high", "xhigh", "max"] = ABSENT
    format: JsonFormat = ABSENT


class Metadata(Shape):
    user_id: Annotated[str, Field(max_length=256)] | None = None


class MessagesRequest(Shape):
    model: Text
    max_tokens: Annotated[int, Field(ge=0)]
    messages: Annotated[
        list[Annotated[UserMessage | AssistantMessage, Field(discriminator="role")]],
        Field(min_length=1, max_length=100_000),
    ]
    system: str | list[TextBlock] = ABSENT
    stop_sequences: list[str] = ABSENT
    stream: bool = ABSENT
    temperature: Annotated[float, Field(ge=0, le=1)] = ABSENT
    top_p: Annotated[float, Field(ge=0, le=1)] = ABSENT
    top_k: Annotated[int, Field(ge=0)] = ABSENT
    tools: list[Tool] = ABSENT
    tool_choice: Annotated[ChosenKind | ChosenTool | ChosenNone, Field(discriminator="type")] = (
        ABSENT
    )
    thinking: Annotated[
        ThinkingOn | ThinkingAdaptive | ThinkingOther, Field(discriminator="type")
    ] = ABSENT
    output_config: OutputConfig = ABSENT
    metadata: Metadata = ABSENT
    service_tier: Literal["auto", "standard_only"] = ABSENT
    cache_control: CacheControl | None = None
    container: str | None = None
    inference_geo: str | None = None
    diagnostics: Any = None
    user_profile_id: str = ABSENT
