"""Keys: which value a reference stands for, and whose key a caller has shown.

Values are never logged and never part of an error.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping

from nightmail.config.gateway import GatewayConfig
from nightmail.config.references import fits_a_header, is_reference, is_written_key, name_of
from nightmail.config.secret import ADMIN, StackSecret, digest_of
from nightmail.errors import CredentialMissing, InvalidConfig

# A child of the functions' logger, which writes it.
logger = logging.getLogger(__name__)

# How often a name or key that is not there may make us read the secret again.
_MISS_SECONDS = 5.0


class Credentials:
    def __init__(
        self,
        secret: StackSecret,
        config: Callable[[], GatewayConfig],
        environment: Mapping[str, str],
    ) -> None:
        self._secret = secret
        self._config = config
        self._environment = environment

    def resolve(self, reference: str) -> str:
        """The value of `os.environ/NAME` or of a key written in the config; any other text is itself.

        NAME is looked for in the secret, in the config's `environment_variables`, and in the
        function's environment. Raises CredentialMissing, or InvalidConfig for what is no such value.
        """
        if is_written_key(reference):
            return self._written(reference)
        if not is_reference(reference):
            return reference
        name = name_of(reference)
        value = self._named(name)
        if not value:
            raise CredentialMissing(
                f"{name} is not known: add {name} to the stack's secret. A local cloud takes it from "
                f"the shell: export {name}, and run make local CONFIG=... again."
            )
        if not fits_a_header(value):
            raise InvalidConfig(f"{name} holds line breaks, outer spaces, or more than ASCII.")
        return value

    def owner_of(self, key: str) -> str | None:
        """Whose key this is, or None.

        Raises StorageUnavailable or InvalidConfig where that cannot be told.
        """
        return (
            self._secret.content().owner_of(key)
            or self._owner_by_config(key)
            or self._secret.content(_MISS_SECONDS).owner_of(key)
        )

    def _named(self, name: str) -> str | None:
        return (
            self._secret.content().values.get(name)
            or self._config().environment_variables.get(name)
            or self._environment.get(name)
            or self._secret.content(_MISS_SECONDS).values.get(name)
        )

    def _written(self, reference: str) -> str:
        value = self._config().key_written_as(reference)
        if value is None:
            raise CredentialMissing(
                f"The config no longer holds the key {reference}: put keys into the stack's secret, "
                "where they can be changed while batches run."
            )
        return value

    def _owner_by_config(self, key: str) -> str | None:
        """Nobody can have shown a key that does not exist, or that nobody can read."""
        try:
            reference = self._config().master_key
            master = self.resolve(reference) if reference else ""
        except (CredentialMissing, InvalidConfig) as error:
            logger.warning("the config's master key is not known", extra={"reason": error.message})
            return None
        is_master = bool(master) and hmac.compare_digest(digest_of(master), digest_of(key))
        return ADMIN if is_master else None
