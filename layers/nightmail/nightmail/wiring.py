"""The composition root: the one place that chooses implementations and makes clients.

Everything is made when it is first asked for and kept while the function's process lives. What only
some functions need is imported there too: httpx and the config are half of a cold start.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config as BotoConfig

from nightmail.config.settings import Settings
from nightmail.deployment import Deployment
from nightmail.stores.batches import BatchStore
from nightmail.stores.claims import ClaimStore
from nightmail.stores.events import EventBus
from nightmail.stores.executions import Executions
from nightmail.stores.files import FileStore
from nightmail.stores.objects import ObjectStore
from nightmail.stores.parts import PartStore
from nightmail.stores.stores import Stores
from nightmail.stores.table import Table
from nightmail.stores.uploads import UploadStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from nightmail.api.caller import Caller
    from nightmail.config.credentials import Credentials
    from nightmail.config.gateway import GatewayConfig
    from nightmail.config.loader import ConfigLoader
    from nightmail.prices.price import Pricer
    from nightmail.providers.base import BatchProvider
    from nightmail.providers.direct import DirectProvider
    from nightmail.steps.plan import Planner
    from nightmail.steps.run_chunk import Worker
    from nightmail.steps.shard_work import Courier

# Shorter than the shortest function's time-out, so that an error is ours and not AWS's.
_PATIENCE = BotoConfig(connect_timeout=3, read_timeout=20, retries={"mode": "standard"})
# SigV4 because boto3 presigns with SigV2 in us-east-1 otherwise, which fails with KMS. The other two
# make a presigned URL name the Region's own host: the global one redirects, which breaks the signature.
_S3 = _PATIENCE.merge(
    BotoConfig(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)


# What in a deployment may stand for something else, besides its key.
_REFERENCES = (
    "api_base",
    "api_version",
    "organization",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region_name",
)


@cache
def settings() -> Settings:
    return Settings.from_environment()


@cache
def table() -> Table:
    return Table(boto3.client("dynamodb", config=_PATIENCE), settings().table_name)


@cache
def _s3() -> S3Client:
    return boto3.client("s3", config=_S3)


@cache
def objects() -> ObjectStore:
    return ObjectStore(_s3(), settings().bucket_name)


@cache
def files() -> FileStore:
    return FileStore(table())


@cache
def uploads() -> UploadStore:
    return UploadStore(table())


@cache
def batches() -> BatchStore:
    return BatchStore(table())


@cache
def parts() -> PartStore:
    return PartStore(table())


@cache
def event_bus() -> EventBus:
    return EventBus(boto3.client("events", config=_PATIENCE), settings().event_bus_name)


@cache
def executions() -> Executions:
    return Executions(boto3.client("stepfunctions", config=_PATIENCE), settings().state_machine_arn)


@cache
def _config_loader() -> ConfigLoader:
    from nightmail.config.loader import ConfigLoader

    return ConfigLoader(_s3(), settings().bucket_name, settings().config_key)


def gateway_config() -> GatewayConfig:
    """The config in force."""
    return _config_loader().current()


@cache
def credentials() -> Credentials:
    from nightmail.config.credentials import Credentials
    from nightmail.config.secret import StackSecret

    secret = StackSecret(boto3.client("secretsmanager", config=_PATIENCE), settings().secret_name)
    return Credentials(secret, gateway_config, os.environ)


def now() -> int:
    """The Unix second."""
    return int(time.time())


def pause(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


@cache
def stores() -> Stores:
    return Stores(batches(), parts(), files(), objects(), ClaimStore(table()))


def provider_of(deployment: Deployment) -> BatchProvider:
    """The native lane of a deployment. Raises CredentialMissing."""
    from nightmail.providers.registry import open_provider
    from nightmail.stores.shared_objects import SharedObjects

    return open_provider(*_resolved(deployment), SharedObjects(objects()))


def direct_of(deployment: Deployment) -> DirectProvider:
    """The direct lane of a deployment. Raises CredentialMissing, or InvalidRequest where it has none."""
    from nightmail.providers.registry import open_direct

    return open_direct(*_resolved(deployment))


def _resolved(deployment: Deployment) -> tuple[Deployment, str | None]:
    """The deployment with what its references stand for, and its key."""
    resolve = credentials().resolve
    places = {name: resolve(value) for name in _REFERENCES if (value := getattr(deployment, name))}
    key = resolve(deployment.api_key) if deployment.api_key else None
    return deployment.model_copy(update=places), key


def caller() -> Caller:
    """Calls models, by the config in force."""
    from nightmail.api.caller import Caller

    return Caller(direct_of, gateway_config())


def pricer() -> Pricer:
    """What an answer costs."""
    from nightmail.prices.price import price_of

    return price_of


def planner() -> Planner:
    from nightmail.providers.registry import open_format
    from nightmail.steps.input_checks import PlanLimits
    from nightmail.steps.plan import Planner

    return Planner(
        stores(),
        deployments_of=lambda model, hint: gateway_config().deployments(model, hint),
        fallbacks_of=lambda model: gateway_config().fallbacks(model),
        strict=lambda: gateway_config().strict,
        on_deadline=lambda: gateway_config().on_deadline,
        format_of=open_format,
        pricer=pricer(),
        limits=PlanLimits(
            lines=settings().max_batch_lines,
            bytes=settings().max_batch_bytes,
            shard_concurrency=settings().shard_concurrency,
            map_concurrency=settings().map_concurrency,
            chunk_lines=settings().chunk_lines,
        ),
    )


def courier() -> Courier:
    """Brings shards to their providers, and what comes of them back."""
    from nightmail.providers.registry import open_format
    from nightmail.steps.shard_work import Courier

    return Courier(stores(), provider_of, open_format, pricer(), now)


def worker() -> Worker:
    """A worker of the direct lane."""
    from nightmail.steps.run_chunk import Worker
    from nightmail.stores.quotas import QuotaStore

    return Worker(
        stores(),
        QuotaStore(table()),
        direct_of,
        time.time,
        settings().chunk_concurrency,
        pricer(),
    )
