"""The config from the bucket: looked at again every minute, so that a new one needs no deployment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nightmail.config.gateway import GatewayConfig, parse_config
from nightmail.config.yaml_text import MAX_BYTES
from nightmail.errors import InvalidConfig, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A child of the functions' logger, which writes it.
logger = logging.getLogger(__name__)

_FRESH_SECONDS = 60.0
_UNCHANGED = frozenset({"304", "NotModified"})
_MISSING = frozenset({"404", "NoSuchKey"})
# S3 hides that an object is missing from those who may not list the bucket.
_HIDDEN = frozenset({"403", "AccessDenied"})


class ConfigLoader:
    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._clock = clock
        self._config: GatewayConfig | None = None
        self._problem: str | None = None
        self._etag: str | None = None
        self._fresh_until = float("-inf")

    def current(self) -> GatewayConfig:
        """The config in force: at most a minute old, or the last good one where the newest is broken.

        Raises InvalidConfig where there never was a good one, StorageUnavailable where the bucket
        does not answer and there is none yet.
        """
        if self._clock() >= self._fresh_until:
            self._refresh()
            self._fresh_until = self._clock() + _FRESH_SECONDS
        if self._config is None:
            raise InvalidConfig(self._problem or "The config could not be read.")
        return self._config

    def _refresh(self) -> None:
        condition = {"IfNoneMatch": self._etag} if self._etag else {}
        try:
            found: Any = self._client.get_object(Bucket=self._bucket, Key=self._key, **condition)  # type: ignore[arg-type]
            self._take(found["Body"].read(MAX_BYTES + 1), found["ETag"])
        except ClientError as error:
            self._explain(error)
        except BotoCoreError as error:
            self._keep(error)

    def _take(self, text: bytes, etag: str) -> None:
        self._etag = etag
        try:
            self._config = parse_config(text)
        except InvalidConfig as error:
            self._problem = error.message
            logger.error(  # noqa: TRY400 - the traceback says nothing to the one who mends the file
                "the config is wrong and was not taken",
                extra={"config_key": self._key, "problems": error.message.splitlines()},
            )
            return
        if self._config.warnings:
            logger.warning(
                "the config has keys that want a look",
                extra={"config_key": self._key, "warnings": list(self._config.warnings)},
            )

    def _explain(self, error: ClientError) -> None:
        code = error.response["Error"]["Code"]
        if code in _UNCHANGED:
            return
        if code in _MISSING or (code in _HIDDEN and self._etag is None):
            logger.warning("there is no config in the bucket", extra={"config_key": self._key})
            self._config, self._etag = parse_config(""), None
            return
        self._keep(error)

    def _keep(self, error: Exception) -> None:
        if self._config is None:
            raise StorageUnavailable(
                "The bucket did not answer for the config; try again."
            ) from error
        logger.error(
            "the config could not be read; the last one stays in force", extra={"cause": str(error)}
        )
