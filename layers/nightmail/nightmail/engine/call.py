"""What the engine is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nightmail.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one model: `deployments` all answer to its name, `body` is OpenAI's.

    `timeout_seconds` is one request's; `num_retries` replaces the deployment's. None leaves them as they are.
    """

    deployments: Sequence[Deployment]
    endpoint: str
    body: Mapping[str, Any]
    timeout_seconds: float | None = None
    num_retries: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer in OpenAI's form. `tries` counts the requests that were sent for it."""

    body: dict[str, Any]
    deployment: Deployment
    tries: int
