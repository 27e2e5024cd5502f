"""The stack's secret: the gateway's own keys, and the providers' by name.

{"master_key": "...", "keys": {"<owner>": "<sha256 of the key, in hex>"}, "OPENAI_API_KEY": "..."}
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nightmail.errors import InvalidConfig, StorageUnavailable
from nightmail.ids import is_owner

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# A child of the functions' logger, which writes it.
logger = logging.getLogger(__name__)

ADMIN = "admin"
FRESH_SECONDS = 60.0
_MASTER_KEY = "master_key"
_KEYS = "keys"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SecretContent:
    """`owners` are pairs of an owner and the digest of a key of theirs; `values` are by name."""

    values: dict[str, str] = field(repr=False)
    owners: list[tuple[str, str]] = field(repr=False)

    def owner_of(self, key: str) -> str | None:
        """Whose key this is. Every digest is compared, and in constant time."""
        digest = digest_of(key)
        found = [owner for owner, known in self.owners if hmac.compare_digest(known, digest)]
        return found[0] if found else None


class StackSecret:
    """Read when it is needed, and kept for a minute."""

    def __init__(
        self,
        client: SecretsManagerClient,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._name = name
        self._clock = clock
        self._content: SecretContent | None = None
        self._read_at = float("-inf")

    def content(self, max_age_seconds: float = FRESH_SECONDS) -> SecretContent:
        """Raises StorageUnavailable where it cannot be read, InvalidConfig where it is no JSON object."""
        if self._content is None or self._clock() - self._read_at >= max_age_seconds:
            self._content = parse_secret(self._read())
            self._read_at = self._clock()
        return self._content

    def _read(self) -> str:
        try:
            return self._client.get_secret_value(SecretId=self._name).get("SecretString", "")
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable("The stack's secret could not be read; try again.") from error


def digest_of(key: str) -> str:
    """SHA-256 in hex: how the secret holds an owner's key."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def parse_secret(text: str) -> SecretContent:
    """What of it cannot be used is logged by name and ignored. Raises InvalidConfig."""
    try:
        secret = json.loads(text)
    except ValueError:
        secret = None
    if not isinstance(secret, dict):
        raise InvalidConfig("The stack's secret is no JSON object.")
    names = [name for name in secret if name not in {_MASTER_KEY, _KEYS}]
    values = {name: _text(secret[name]) for name in names}
    _warn("values of the secret that are no text are ignored", values)
    return SecretContent(
        values={name: value for name, value in values.items() if value},
        owners=[*_master(secret.get(_MASTER_KEY)), *_owners(secret.get(_KEYS))],
    )


def _text(value: Any) -> str | None:
    """Stripped: a line break that was pasted along would end up in a header."""
    return value.strip() if isinstance(value, str) else None


def _master(value: Any) -> Iterator[tuple[str, str]]:
    if key := _text(value):
        yield ADMIN, digest_of(key)


def _owners(keys: Any) -> Iterator[tuple[str, str]]:
    digests = keys if isinstance(keys, dict) else {}
    usable = {owner: _digest(owner, value) for owner, value in digests.items()}
    _warn("owners whose name or SHA-256 cannot be used are ignored", usable)
    yield from ((owner, digest) for owner, digest in usable.items() if digest)


def _digest(owner: str, value: Any) -> str | None:
    digest = (_text(value) or "").lower()
    return digest if is_owner(owner) and _SHA256.fullmatch(digest) else None


def _warn(message: str, values: dict[str, str | None]) -> None:
    names = [name for name, value in values.items() if value is None]
    if names:
        logger.warning(message, extra={"names": names})
