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


class TokenDetails(Object):
    cached_tokens: int | None
    reasoning_tokens: int | None


class BatchUsage(Object):
    """Tokens of all good answers."""

    input_tokens: int
    input_tokens_details: TokenDetails | None
    output_tokens: int
    output_tokens_details: TokenDetails | None
    total_tokens: int


class ModelUsage(Object):
    """What one model answered on one lane, and its cost in US dollars; None where nobody knows a price."""

    model: str
    provider: str
    lane: str
    lines: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: float | None
    synchronous_cost: float | None


class Estimate(Object):
    """What a batch would be: in all, by lane, and by each way that its lines would go."""

    lines: int
    refused: int
    shards: int
    chunks: int
    input_tokens: int
    output_tokens: int
    unlimited_lines: int
    cost: float | None
    synchronous_cost: float | None
    saved: float | None
    lanes: list[Object]
    ways: list[Object]
    warnings: list[str]


class BatchDetails(Object):
    """What OpenAI's object has no place for. Of a provider's own batch there is only what it used and cost."""

    progress: Object | None
    usage: list[ModelUsage] | None
    cost: float | None
    synchronous_cost: float | None
    saved: float | None
    unpriced_models: list[str] | None
    estimate: Estimate | None
    retry_of: str | None
    strict: bool | None
    on_deadline: str | None
    dry_run: bool | None
    shards: list[Object] | None
    stalled_shards: int | None
    chunks: list[Object] | None


class Batch(Object):
    """A batch of requests, as OpenAI's API tells of it. Times are Unix seconds, costs US dollars.

    A cost is None where it is not known: a price is missing, or the provider tells no usage.
    """

    id: str
    object: str
    endpoint: str
    model: str | None
    input_file_id: str | None
    completion_window: str
    status: str
    errors: Object | None
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    expires_at: int | None
    completed_at: int | None
    request_counts: RequestCounts
    usage: BatchUsage | None
    metadata: dict[str, str] | None
    nightmail: BatchDetails | None

    @property
    def cost(self) -> float | None:
        return self.nightmail.cost if self.nightmail else None

    @property
    def synchronous_cost(self) -> float | None:
        """What it would have cost, had every request been made at once."""
        return self.nightmail.synchronous_cost if self.nightmail else None

    @property
    def saved(self) -> float | None:
        return self.nightmail.saved if self.nightmail else None

    @property
    def estimate(self) -> Estimate | None:
        """Of a dry run."""
        return self.nightmail.estimate if self.nightmail else None


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
    nightmail: Object | None
