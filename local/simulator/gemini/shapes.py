"""The requests that Gemini takes: https://ai.google.dev/api/generate-content and .../embeddings.

`model` and `stream` come from the path.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.simulator.checking import ABSENT, Json, Shape

Text = Annotated[str, Field(min_length=1)]
# JSON has no bytes, so a strict shape would take none.
Base64 = Annotated[Base64Bytes, Field(strict=False)]


class CamelShape(Shape):
    model_config = ConfigDict(alias_generator=to_camel)


class Blob(CamelShape):
    mime_type: Text
    data: Base64


class FileData(CamelShape):
    mime_type: Text = ABSENT
    file_uri: Text


class FunctionCall(CamelShape):
    id: str = ABSENT
    name: Text
    args: Json = ABSENT


class FunctionResponse(CamelShape):
    id: str = ABSENT
    name: Text
    response: Json


class Part(CamelShape):
    text: str = ABSENT
    thought: bool = ABSENT
    thought_signature: str = ABSENT
    inline_data: Blob = ABSENT
    file_data: FileData = ABSENT
    function_call: FunctionCall = ABSENT
    function_response: FunctionResponse = ABSENT


Parts = Annotated[list[Part], Field(min_length=1)]


class Content(CamelShape):
    role: Literal["user", "model"] = ABSENT
    parts: Parts


class Declaration(CamelShape):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z_][\w.:-]{0,127}$")]
    description: str = ABSENT
    parameters: Json = ABSENT
    parameters_json_schema: Json = ABSENT


class Tool(CamelShape):
    function_declarations: list[Declaration]


class FunctionCalling(CamelShape):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"] = ABSENT
    allowed_function_names: list[str] = ABSENT


class ToolConfig(CamelShape):
    function_calling_config: FunctionCalling


class Thinking(CamelShape):
    include_thoughts: bool = ABSENT
    thinking_budget: Annotated[int, Field(ge=-1)] = ABSENT
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"] = ABSENT


class GenerationConfig(CamelShape):
    temperature: Annotated[float, Field(ge=0, le=2)] = ABSENT
    top_p: Annotated[float, Field(ge=0, le=1)] = ABSENT
    top_k: Annotated[int, Field(ge=1)] = ABSENT
    candidate_count: Annotated[int, Field(ge=1, le=8)] = ABSENT
    max_output_tokens: Annotated[int, Field(ge=1)] = ABSENT
    stop_sequences: Annotated[list[Text], Field(max_length=5)] = ABSENT
    presence_penalty: Annotated[float, Field(ge=-2, lt=2)] = ABSENT
    frequency_penalty: Annotated[float, Field(ge=-2, lt=2)] = ABSENT
    seed: int = ABSENT
    response_mime_type: Literal["text/plain", "application/json"] = ABSENT
    response_json_schema: Json = ABSENT
    response_logprobs: bool = ABSENT
    logprobs: Annotated[int, Field(ge=0, le=20)] = ABSENT
    thinking_config: Thinking = ABSENT


class GenerateRequest(CamelShape):
    model: str
    stream: bool = ABSENT
    contents: Annotated[list[Content], Field(min_length=1)]
    system_instruction: Content = ABSENT
    tools: list[Tool] = ABSENT
    tool_config: ToolConfig = ABSENT
    generation_config: GenerationConfig = ABSENT
    safety_settings: list[Json] = ABSENT
    cached_content: str = ABSENT


class InputConfig(CamelShape):
    file_name: Text


class NewBatch(CamelShape):
    display_name: str = ABSENT
    input_config: InputConfig


class BatchGenerateRequest(CamelShape):
    batch: NewBatch


class EmbedRequest(CamelShape):
    model: Text
    content: Content
    task_type: str = ABSENT
    title: str = ABSENT
    output_dimensionality: Annotated[int, Field(ge=1)] = ABSENT


class BatchEmbedRequest(CamelShape):
    model: str
    requests: Annotated[list[EmbedRequest], Field(min_length=1, max_length=100)]
