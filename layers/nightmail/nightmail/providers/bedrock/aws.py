"""How Bedrock is reached: the Region, the address, and who signs.

Who speaks to other providers does without botocore.
"""

# ruff: noqa: PLC0415 - botocore is imported when a request needs it

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from nightmail.deployment import Deployment
from nightmail.errors import CredentialMissing, InvalidConfig

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from botocore.session import Session

_SERVICE = "bedrock"
_REGIONS = ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
_JOBS_ENDPOINT = "AWS_ENDPOINT_URL_BEDROCK"
_BEARER = "AWS_BEARER_TOKEN_BEDROCK"
# LiteLLM's names: which of two APIs, and the Region, may stand before the model.
_NAME = re.compile(r"(?:converse/)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)/)?(?P<model>.+)")
_REGION_OF_ARN = re.compile(r"arn:aws[\w-]*:bedrock:([a-z0-9-]+):")
_IN_SIGNATURES = ("content-type",)
# What the signature adds (SigV4).
_SIGNED = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})


@contextmanager
def needs_botocore() -> Iterator[None]:
    """Around an import of it. Raises InvalidConfig where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidConfig(
            "Requests to Bedrock need botocore, which is not installed: pip install boto3."
        ) from error


def base_of(deployment: Deployment) -> str:
    """Where the model is asked: the deployment's own address, the environment's, or the Region's.

    Raises InvalidConfig where neither of them is known.
    """
    base = deployment.api_base or os.environ.get(_ENDPOINT)
    return (base or f"https://bedrock-runtime.{region_of(deployment)}.amazonaws.com").rstrip("/")


def jobs_base_of(deployment: Deployment) -> str:
    """Where jobs are started: the environment's address, or the Region's. Raises InvalidConfig."""
    base = os.environ.get(_JOBS_ENDPOINT)
    return (base or f"https://bedrock.{region_of(deployment)}.amazonaws.com").rstrip("/")


def has_jobs_endpoint() -> bool:
    """Whether the environment says where jobs are started."""
    return bool(os.environ.get(_JOBS_ENDPOINT))


def model_of(deployment: Deployment) -> str:
    """Bedrock's own name for it: an id or an ARN."""
    found = _NAME.fullmatch(deployment.model)
    return found["model"] if found else deployment.model


def region_of(deployment: Deployment) -> str:
    """The deployment's own Region, that in its model's name, or the environment's.

    Raises InvalidConfig where none of them says it.
    """
    in_name, in_arn = _NAME.match(deployment.model), _REGION_OF_ARN.match(model_of(deployment))
    in_environment = (os.environ.get(name) for name in _REGIONS)
    found = (
        deployment.aws_region_name,
        in_name["region"] if in_name else None,
        in_arn[1] if in_arn else None,
        *in_environment,
    )
    region = next((each for each in found if each), None)
    if region is None:
        raise InvalidConfig(
            f"The Region of '{deployment.name}' is not known: give aws_region_name, or set "
            "AWS_REGION in the environment."
        )
    return region


def bearer_of(deployment: Deployment) -> str | None:
    """The environment's Bedrock API key. It is Bedrock's own, so it goes to no other address, and to
    no deployment that has credentials.
    """
    has_own = deployment.api_base or has_credentials(deployment)
    return None if has_own else os.environ.get(_BEARER)


def has_credentials(deployment: Deployment) -> bool:
    """Whether it is to be called by others than this process's own."""
    own = (deployment.aws_access_key_id, deployment.aws_secret_access_key)
    return any((*own, deployment.aws_session_token))


def signature(
    deployment: Deployment,
    url: str,
    headers: Mapping[str, str],
    content: bytes,
    method: str = "POST",
) -> Mapping[str, str]:
    """The headers that sign a request, by the deployment's credentials or those of this process: its
    role, environment or profile. They hold for five minutes.

    Raises CredentialMissing where there are none, and InvalidConfig where the deployment's are half
    given: another account than its own would pay.
    """
    with needs_botocore():
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

    in_signature = {name: headers[name] for name in _IN_SIGNATURES if name in headers}
    signed = AWSRequest(method, url, in_signature, content)
    SigV4Auth(_credentials(deployment), _SERVICE, region_of(deployment)).add_auth(signed)
    told = {name.lower(): value for name, value in signed.headers.items()}
    return {name: value for name, value in told.items() if name in _SIGNED}


def _credentials(deployment: Deployment) -> ReadOnlyCredentials:
    from botocore.credentials import Credentials

    if has_credentials(deployment):
        key, secret = deployment.aws_access_key_id, deployment.aws_secret_access_key
        if not (key and secret):
            missing = "aws_secret_access_key" if key else "aws_access_key_id"
            raise InvalidConfig(
                f"The AWS credentials of '{deployment.name}' are not whole: {missing} is missing."
            )
        return Credentials(key, secret, deployment.aws_session_token).get_frozen_credentials()
    found = own_session().get_credentials()
    if found is None:
        raise CredentialMissing(
            f"There are no AWS credentials for '{deployment.name}': give aws_access_key_id and "
            "aws_secret_access_key, or a Bedrock API key as api_key."
        )
    return found.get_frozen_credentials()


@cache
def own_session() -> Session:
    """The one of this process, whose credentials renew themselves."""
    from botocore.session import Session

    return Session()
