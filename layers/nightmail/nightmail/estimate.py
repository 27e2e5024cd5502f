"""What a batch would be, before anything is sent."""

from __future__ import annotations

from pydantic import BaseModel, Field

from nightmail.bill import TakenLane
from nightmail.cost import Cost


class EstimatedWay(BaseModel):
    """Lines of one model and endpoint that go one way, in so many `parts` (shards, or chunks).

    Tokens are estimated from the lines' bytes; `output_tokens` are the most that those lines allow that
    set a limit, and `unlimited` counts the others, whose output is in no figure.
    """

    model: str
    provider: str
    provider_model: str
    endpoint: str
    lane: TakenLane
    lines: int = 0
    parts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unlimited: int = 0
    cost: Cost = Field(default_factory=Cost)


class Estimate(BaseModel):
    """Of a whole file. `refused` lines would get an error, and cost nothing."""

    lines: int = 0
    refused: int = 0
    shards: int = 0
    chunks: int = 0
    ways: list[EstimatedWay] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
