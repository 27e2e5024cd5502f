"""Fireworks: OpenAI's requests, and batch jobs over datasets of an account."""

from __future__ import annotations

from dataclasses import replace

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, Limits
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.cards import openai_batch_card
from nightmail.providers.openai_protocol.servers import Server, as_openai

_EVERYBODYS = "fireworks"
SERVER = Server(
    "https://api.fireworks.ai/inference/v1",
    as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES),
    model_prefix=f"accounts/{_EVERYBODYS}/models/",
)
_ENVELOPE_BYTES = 1000
# Fireworks' API description: a dataset is uploaded by one call up to 150 MB, and those that end early
# keep what they have. How many lines it may have is not told.
BATCHES = BatchApi(
    limits=Limits(lines=50_000, bytes=150_000_000 - _ENVELOPE_BYTES),
    endpoints=frozenset({CHAT}),
    has_routes=False,
    names_model=False,
    endings={
        "JOB_STATE_COMPLETED": Ending.COMPLETED,
        "JOB_STATE_FAILED": Ending.FAILED,
        "JOB_STATE_EXPIRED": Ending.EXPIRED,
        "JOB_STATE_EARLY_STOPPED": Ending.EXPIRED,
        "JOB_STATE_CANCELLED": Ending.CANCELLED,
    },
    counts=("jobProgress.successfullyProcessedRequests", "jobProgress.failedRequests"),
)


def account_of(deployment: Deployment) -> str | None:
    """Whose datasets and jobs those of `deployment` are: its `organization`, or its model's account.

    Models that are everybody's do not tell.
    """
    start, _, rest = deployment.model.partition("/")
    owner = rest.partition("/")[0] if start == "accounts" else ""
    return deployment.organization or (owner if owner != _EVERYBODYS else "") or None


def _batches(deployment: Deployment, key: str | None) -> BatchProvider:
    from nightmail.providers.fireworks.batches import open_fireworks

    return open_fireworks(deployment, key)


CARD = replace(
    openai_batch_card(
        {"fireworks": SERVER, "fireworks_ai": SERVER},
        BATCHES,
        has_batches=lambda deployment: account_of(deployment) is not None,
    ),
    open_batches=_batches,
    batches_need="an account: an organization in the config, or a model named by its account's path",
    can_cancel=False,
)
