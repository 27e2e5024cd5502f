"""Messages and tools of OpenAI's chat: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from local.simulator.checking import ABSENT, Json, Shape

Text = Annotated[str, Field(min_length=1)]


class TextPart(Shape):
    type: Literal["text"]
    text: str


class ImageUrl(Shape):
    url: Annotated[str, Field(pattern=r"^(https?://|data:image/[\w.+-]+;base64,)")]
    detail: Literal["auto", "low", "high"] = "auto"


class ImagePart(Shape):
    type: Literal["image_url"]
    image_url: ImageUrl


class Audio(Shape):
    data: Text
    format: Literal["wav", "mp3"]


class AudioPart(Shape):
    type: Literal["input_audio"]
    input_audio: Audio


class InputFile(Shape):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class FilePart(Shape):
    type: Literal["file"]
    file: InputFile


class RefusalPart(Shape):
    type: Literal["refusal"]
    refusal: str


class CalledFunction(Shape):
    name: Text
    arguments: str


class FunctionCall(Shape):
    id: Text
    type: Literal["function"]
    function: CalledFunction


class CustomCall(Shape):
    id: Text
    type: Literal["custom"]
    custom: Json


Texts = str | Annotated[list[TextPart], Field(min_length=1)]
UserPart = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
AssistantPart = Annotated[TextPart | RefusalPart, Field(discriminator="type")]
AnyCall = Annotated[FunctionCall | CustomCall, Field(discriminator="type")]


class SystemMessage(Shape):
    role: Literal["system", "developer"]
    content: Texts
    name: str | None = None


class UserMessage(Shape):
    role: Literal["user"]
    content: str | Annotated[list[UserPart], Field(min_length=1)]
    name: str | None = None


class AssistantMessage(Shape):
    role: Literal["assistant"]
    content: str | Annotated[list[AssistantPart], Field(min_length=1)] | None = None
    refusal: str | None = None
    name: str | None = None
    audio: Json | None = None
    annotations: list[Json] | None = None
    tool_calls: Annotated[list[AnyCall], Field(min_length=1)] | None = None
    function_call: CalledFunction | None = None


class ToolMessage(Shape):
    role: Literal["tool"]
    content: Texts
    tool_call_id: Text


class FunctionMessage(Shape):
    role: Literal["function"]
    content: str | None
    name: Text


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage,
    Field(discriminator="role"),
]


class Function(Shape):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ABSENT
    parameters: Json = ABSENT
    strict: bool | None = None


class FunctionTool(Shape):
    type: Literal["function"]
    function: Function


class CustomTool(Shape):
    type: Literal["custom"]
    custom: Json


class FunctionName(Shape):
    name: Text


class ChosenFunction(Shape):
    type: Literal["function"]
    function: FunctionName


class ChosenOther(Shape):
    type: Literal["custom", "allowed_tools"]
    custom: Json | None = None
    allowed_tools: Json | None = None


AnyTool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]
AnyChoice = Annotated[ChosenFunction | ChosenOther, Field(discriminator="type")]
