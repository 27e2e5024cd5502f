"""What the functions answer: the objects of OpenAI's API.

`response.choices[0].message.content`, `response["choices"]` and `response.get("choices")` are the same
thing, and a message of an answer can be a message of the next request.
"""

from __future__ import annotations

from nightmail.library.fields import Object

__all__ = [
    "Batch",
    "BatchPage",
    "EmbeddingResponse",
    "FileDeleted",
    "FileObject",
    "FilePage",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "Object",
    "Outcome",
    "ToolCall",
    "Usage",
]


class Function(Object):
    name: str
    arguments: str


class ToolCall(Object):
    id: str
    type: str
    function: Function


class Message(Object):
    role: str
    content: str | None
    tool_calls: list[ToolCall] | None
    function_call: Function | None
    reasoning_content: str | None
    refusal: str | None


class Choice(Object):
    index: int
    message: Message
    finish_reason: str | None
    logprobs: Object | None


class Usage(Object):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Object | None
    completion_tokens_details: Object | None


class ModelResponse(Object):
    """A chat completion. `nightmail` tells the provider, and its own name of the model."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    nightmail: Object


class ChunkChoice(Object):
    index: int
    delta: Message
    finish_reason: str | None


class ModelResponseStream(Object):
    """One chunk of a streamed chat completion."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None


class Embedding(Object):
    index: int
    object: str
    embedding: list[float]


class EmbeddingResponse(Object):
    object: str
    model: str
    data: list[Embedding]
    usage: Usage


class RequestCounts(Object):
    total: int
    completed: int
    failed: int


class Batch(Object):
    """A batch of requests, as OpenAI's API tells of it. Times are Unix seconds."""

    id: str
    object: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    errors: Object | None
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    expires_at: int | None
    completed_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None


class BatchPage(Object):
    """One page of batches, newest first; the last one's id is `after` for the next page."""

    object: str
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


class OutcomeResponse(Object):
    status_code: int
    request_id: str | None
    body: Object


class Outcome(Object):
    """What became of one request of a batch: a line of its output or error file."""

    id: str
    custom_id: str
    response: OutcomeResponse | None
    error: Object | None


class FileObject(Object):
    id: str
    object: str
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: str


class FileDeleted(Object):
    id: str
    object: str
    deleted: bool


class FilePage(Object):
    """One page of files; the last one's id is `after` for the next page."""

    object: str
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
