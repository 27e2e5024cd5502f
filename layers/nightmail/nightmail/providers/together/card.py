"""Together: OpenAI's batches without metadata, counts and pages, for chat alone."""

from __future__ import annotations

from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS
from nightmail.part import Ending
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import MAX_TOKENS, Rules, Server, as_openai

# Its logprobs are a number, and its answers' have another form.
_CHAT = Rules(renamed=MAX_TOKENS.renamed, unsupported=frozenset({"logprobs", "top_logprobs"}))
# Its schema has `model` and `input` alone.
_EMBEDDINGS = Rules(
    unsupported=frozenset({"dimensions", "user"}), ours=frozenset({"encoding_format"})
)
_SERVER = Server(
    "https://api.together.ai/v1",
    as_openai(COMPLETIONS) | {CHAT: _CHAT, EMBEDDINGS: _EMBEDDINGS},
)
# Together's API description, and its pages on batches: the limits; what was answered before a cancel or
# the window's end is in the output file, and paid; a line of the error file has an id and an error. They
# do not say that an output line has OpenAI's form.
BATCHES = BatchApi(
    limits=Limits(lines=50_000, bytes=100_000_000),
    endpoints=frozenset({CHAT}),
    has_routes=False,
    files="/files/upload",
    form={"purpose": "batch-api", "file_name": "batch.jsonl", "file_type": "jsonl"},
    wrapper="job",
    has_metadata=False,
    paging="none",
    endings={
        "COMPLETED": Ending.COMPLETED,
        "FAILED": Ending.FAILED,
        "EXPIRED": Ending.EXPIRED,
        "CANCELLED": Ending.CANCELLED,
    },
    counts=None,
)
CARD = openai_batch_card({"together": _SERVER, "together_ai": _SERVER}, BATCHES)
