"""Mistral: batch jobs of one model; it refuses what its published schema does not name (`additionalProperties: false`)."""

from __future__ import annotations

from nightmail.endpoints import CHAT, EMBEDDINGS
from nightmail.part import Ending
from nightmail.providers.base import Limits
from nightmail.providers.direct import JsonObject
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import USAGE_COMES_ANYWAY, Rules, Server

_NOT_IN_CHAT = frozenset(
    {"audio", "function_call", "functions", "logit_bias", "logprobs", "modalities", "moderation"}
    | {"prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier"}
    | {"store", "top_logprobs", "user", "verbosity", "web_search_options"}
)
_CHAT = Rules(
    renamed={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
    unsupported=_NOT_IN_CHAT,
    ours=USAGE_COMES_ANYWAY,
)
_EMBEDDINGS = Rules(renamed={"dimensions": "output_dimension"}, unsupported=frozenset({"user"}))
_SERVER = Server("https://api.mistral.ai/v1", {CHAT: _CHAT, EMBEDDINGS: _EMBEDDINGS})


def _submission(file_id: str, endpoint: str, model: str) -> JsonObject:
    return {"input_files": [file_id], "endpoint": endpoint, "model": model, "timeout_hours": 24}


# Mistral's API description: files of at most 512 MB; a workspace has a million requests pending; jobs
# are ordered by `-created` if nothing else is asked for.
BATCHES = BatchApi(
    limits=Limits(lines=100_000, bytes=500_000_000),
    has_routes=False,
    path="/batch/jobs",
    submission=_submission,
    paging="numbers",
    newest_first=True,
    endings={
        "SUCCESS": Ending.COMPLETED,
        "FAILED": Ending.FAILED,
        "TIMEOUT_EXCEEDED": Ending.EXPIRED,
        "CANCELLED": Ending.CANCELLED,
    },
    counts=("succeeded_requests", "failed_requests"),
    outputs=("output_file", "error_file"),
)
CARD = openai_batch_card({"mistral": _SERVER}, BATCHES)
