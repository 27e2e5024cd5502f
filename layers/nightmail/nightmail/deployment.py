"""A deployment: who answers to a model's name, within which limits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Lane = Literal["native", "direct", "auto"]
# The table keeps no fractions, and a temperature is one.
_AsText = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: json.loads(value) if isinstance(value, str) else value),
    PlainSerializer(json.dumps, return_type=str),
]


class Deployment(BaseModel):
    """One entry of `model_list`, as a batch keeps it for all its life.

    `api_key` is a reference (`os.environ/NAME`), never a key. `rpm` and `tpm` are requests and tokens
    a minute. `max_batch_jobs` is how many provider batches of its model may be under way. `weight` is
    its part of its group's lines, beside the others' weights. `prices` are of its own, in US dollars
    for one token, by LiteLLM's names; `base_model` is whose they are where it has none. `defaults` are
    parameters that a request's own replace. What begins with `aws` is Bedrock's; its credentials are
    references too.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    provider: str
    model: str
    api_base: str | None = None
    api_key: str | None = None
    organization: str | None = None
    api_version: str | None = None
    aws_access_key_id: str | None = Field(default=None, repr=False)
    aws_secret_access_key: str | None = Field(default=None, repr=False)
    aws_session_token: str | None = Field(default=None, repr=False)
    aws_region_name: str | None = None
    timeout_seconds: int | None = None
    stream_timeout_seconds: int | None = None
    num_retries: int | None = None
    max_parallel_requests: int | None = None
    max_batch_jobs: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    weight: Decimal | None = None
    prices: dict[str, Decimal] = Field(default_factory=dict)
    base_model: str | None = None
    lane: Lane = "auto"  # the config's `batch`
    batch_enabled: bool = False
    drop_params: bool = False
    defaults: _AsText = Field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.provider, self.model, self.api_base, self.api_key))
