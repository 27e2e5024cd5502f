"""The config.yaml that a local cloud is started with: what it asks of the shell, and its key."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nightmail.config.gateway import GatewayConfig, parse_config, referenced_names
from nightmail.config.references import is_reference, name_of
from nightmail.errors import InvalidConfig

from local.simulator.addresses import PROVIDERS, base_of

SIMULATOR_KEY = "sk-simulated-provider"


class ConfigRefused(Exception):
    """The config cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Keys:
    """What the local gateway lets in: the master key, and one of the owner `second`."""

    master: str
    second: str

    @classmethod
    def kept(cls, state: Path, master: str | None) -> Keys:
        """Those of a state folder, the same at every start; the config's master key goes first."""
        file = state / "keys.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        keys = cls(
            master=master or known.get("master") or f"sk-{secrets.token_urlsafe(24)}",
            second=known.get("second") or f"sk-{secrets.token_urlsafe(24)}",
        )
        if master is None:
            known["master"] = keys.master
        file.write_text(json.dumps({**known, "second": keys.second}))
        file.chmod(0o600)
        return keys


def simulated_bases(url: str) -> dict[str, str]:
    """What a config calls the providers that the simulator at this URL is, and their base URLs.

    `NIGHTMAIL_SIMULATOR_URL` is OpenAI's, `NIGHTMAIL_SIMULATOR_COHERE_URL` Cohere's.
    """
    bases = {f"NIGHTMAIL_SIMULATOR_{name.upper()}_URL": base_of(url, name) for name in PROVIDERS}
    return bases | {"NIGHTMAIL_SIMULATOR_URL": base_of(url, "openai")}


def with_simulator(variables: Mapping[str, str], url: str) -> dict[str, str]:
    """`variables`, and what a config needs of the simulator at this URL."""
    return {**variables, **simulated_bases(url), "NIGHTMAIL_SIMULATOR_KEY": SIMULATOR_KEY}


def bedrock_endpoints(url: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Where functions find Bedrock: at the simulator, unless `variables` say where."""
    names = ("AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    return {name: variables.get(name) or base_of(url, "bedrock") for name in names}


@dataclass(frozen=True)
class ProviderConfig:
    """A config file as it is on the disk."""

    path: Path
    text: str
    config: GatewayConfig

    @classmethod
    def read(cls, path: Path) -> ProviderConfig:
        """Raises ConfigRefused where the file is missing or wrong."""
        try:
            text = path.read_text(encoding="utf-8")
            return cls(path, text, parse_config(text))
        except OSError as error:
            raise ConfigRefused(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigRefused(f"{path} is not UTF-8.") from error
        except InvalidConfig as error:
            raise ConfigRefused(f"{path}:\n{error.message}") from error

    @property
    def names(self) -> list[str]:
        """The variables that the config refers to by os.environ/NAME."""
        return sorted(referenced_names(self.config))

    def master_key(self, variables: Mapping[str, str]) -> str | None:
        """The key that general_settings gives, directly or through the environment."""
        key, name = self.config.master_key, self._master_name
        return variables.get(name) if name else key

    def missing(self, variables: Mapping[str, str]) -> list[str]:
        return [name for name in self.names if not variables.get(name)]

    def secret(self, keys: Keys, variables: Mapping[str, str]) -> str:
        """The stack's secret as JSON: the keys, and the values that the config refers to.

        Raises ConfigRefused when a provider's key is the gateway's own: it would call itself.
        """
        values = {name: variables[name] for name in self.names if variables.get(name)}
        own = {keys.master, keys.second}
        for name, value in values.items():
            if value in own and name != self._master_name:
                raise ConfigRefused(
                    f"{name} in this shell is the gateway's own key, not a provider's (did .local/env "
                    f"set it?). Set {name} to your provider's key and start again."
                )
        for number, entry in enumerate(self.config.document.model_list):
            written = entry.litellm_params.api_key
            if written and written.get_secret_value() in own:
                place = f"model_list[{number}].litellm_params.api_key"
                raise ConfigRefused(f"{self.path}: {place} is the gateway's own key.")
        second = hashlib.sha256(keys.second.encode()).hexdigest()
        return json.dumps({**values, "master_key": keys.master, "keys": {"second": second}})

    @property
    def _master_name(self) -> str | None:
        key = self.config.master_key
        return name_of(key) if key and is_reference(key) else None
