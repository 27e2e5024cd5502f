"""The requests that Cohere takes: https://docs.cohere.com/reference/chat and /reference/embed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from local.simulator.checking import Json, Shape

Text = Annotated[str, Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class TextPart(Shape):
    type: Literal["text"]
    text: str


class ImageUrl(Shape):
    url: Annotated[str, Field(pattern=r"^(https?://|data:image/[\w.+-]+;base64,)")]
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Shape):
    type: Literal["image_url"]
    image_url: ImageUrl


class ThinkingPart(Shape):
    type: Literal["thinking"]
    thinking: str


class Document(Shape):
    id: str | None = None
    data: Json | str


class DocumentPart(Shape):
    type: Literal["document"]
    document: Document


class CalledFunction(Shape):
    name: Text
    arguments: str


class ToolCall(Shape):
    id: Text
    type: Literal["function"]
    function: CalledFunction


class SystemMessage(Shape):
    role: Literal["system"]
    content: str | list[TextPart]


class UserMessage(Shape):
    role: Literal["user"]
    content: str | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]


class AssistantMessage(Shape):
    role: Literal["assistant"]
    content: str | list[Annotated[TextPart | ThinkingPart, Field(discriminator="type")]] | None = (
        None
    )
    tool_calls: list[ToolCall] | None = None
    tool_plan: str | None = None
    citations: list[Json] | None = None


class ToolMessage(Shape):
    role: Literal["tool"]
    tool_call_id: Text
    content: str | list[Annotated[TextPart | DocumentPart, Field(discriminator="type")]]


class Function(Shape):
    name: Text
    description: str | None = None
    parameters: Json


class Tool(Shape):
    type: Literal["function"]
    function: Function


class Format(Shape):
    type: Literal["text", "json_object"]
    json_schema: Json | None = None


class Thinking(Shape):
    type: Literal["enabled", "disabled"]
    token_budget: Annotated[int, Field(ge=1)] | None = None


class CitationOptions(Shape):
    mode: Text


class ChatRequest(Shape):
    model: Text
    messages: Annotated[
        list[
            Annotated[
                SystemMessage | UserMessage | AssistantMessage | ToolMessage,
                Field(discriminator="role"),
            ]
        ],
        Field(min_length=1),
    ]
    stream: bool | None = None
    tools: list[Tool] | None = None
    strict_tools: bool | None = None
    tool_choice: Literal["REQUIRED", "NONE"] | None = None
    documents: list[str | Document] | None = None
    citation_options: CitationOptions | None = None
    response_format: Format | None = None
    safety_mode: Literal["CONTEXTUAL", "STRICT", "OFF"] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop_sequences: Annotated[list[str], Field(max_length=5)] | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    frequency_penalty: Fraction | None = None
    presence_penalty: Fraction | None = None
    k: Annotated[int, Field(ge=0, le=500)] | None = None
    p: Annotated[float, Field(ge=0.01, le=0.99)] | None = None
    logprobs: bool | None = None
    thinking: Thinking | None = None
    priority: int | None = None


class EmbedPart(Shape):
    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None


class EmbedInput(Shape):
    content: Annotated[list[EmbedPart], Field(min_length=1)]


class EmbedRequest(Shape):
    model: Text
    input_type: Literal["search_document", "search_query", "classification", "clustering", "image"]
    texts: Annotated[list[str], Field(min_length=1, max_length=96)] | None = None
    images: Annotated[list[str], Field(min_length=1, max_length=1)] | None = None
    inputs: Annotated[list[EmbedInput], Field(min_length=1, max_length=96)] | None = None
    embedding_types: (
        list[Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]] | None
    ) = None
    output_dimension: Literal[256, 512, 1024, 1536] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    truncate: Literal["NONE", "START", "END"] | None = None
    priority: int | None = None
