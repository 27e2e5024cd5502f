"""What the stack gives Bedrock's jobs: a role that reads and writes its bucket, in its own Region."""

from __future__ import annotations

import os

from nightmail.deployment import Deployment
from nightmail.errors import ConfigError
from nightmail.providers.bedrock.aws import has_credentials, has_jobs_endpoint, region_of
from nightmail.providers.bedrock.embeddings import is_embedding_model

_ROLE = "AWS_BATCH_ROLE_ARN"  # LiteLLM's name for it
_HOMES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def job_role() -> str | None:
    """The role's ARN; None outside of a stack."""
    return os.environ.get(_ROLE) or None


def has_jobs(deployment: Deployment) -> bool:
    """Whether jobs of its model can be started here.

    The bucket and the role are the stack's. So what is in another Region, or behind credentials or an
    address of its own, is called directly; so is a Region that is a reference, as planning reads none.
    """
    has_own = deployment.api_key or has_credentials(deployment)
    is_elsewhere = deployment.api_base and not has_jobs_endpoint()
    if not job_role() or has_own or is_elsewhere or is_embedding_model(deployment.model):
        return False
    return _is_at_home(deployment)


def _is_at_home(deployment: Deployment) -> bool:
    home = next((found for name in _HOMES if (found := os.environ.get(name))), None)
    try:
        return region_of(deployment) == home
    except ConfigError:
        return False
