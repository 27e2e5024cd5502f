"""The config.yaml that a local cloud is started with: what it asks of the shell, and its key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REFERENCE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")


class ConfigRefused(Exception):
    """The config cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Keys:
    """What the local gateway lets in: the master key, and one of the owner `second`."""

    master: str
    second: str


@dataclass(frozen=True)
class ProviderConfig:
    """A config file as it is on the disk."""

    path: Path
    text: str
    document: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> ProviderConfig:
        """Raises ConfigRefused where the file is missing or is no YAML mapping."""
        try:
            text = path.read_text(encoding="utf-8")
            document = yaml.safe_load(text)
        except OSError as error:
            raise ConfigRefused(f"{path}: {error.strerror}") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigRefused(f"{path} is not YAML: line {line}: {error.problem}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigRefused(f"{path} is not YAML: {error}") from error
        if not isinstance(document, dict):
            raise ConfigRefused(f"{path} has to be a mapping with model_list in it")
        return cls(path, text, document)

    @property
    def names(self) -> list[str]:
        """The variables that the config refers to by os.environ/NAME."""
        return sorted(
            {name for value in _texts(self.document) for name in REFERENCE.findall(value)}
        )

    def master_key(self, variables: Mapping[str, str]) -> str | None:
        """The key that general_settings gives, directly or through the environment."""
        key = (self.document.get("general_settings") or {}).get("master_key")
        if not isinstance(key, str):
            return None
        reference = REFERENCE.fullmatch(key)
        return variables.get(reference.group(1)) if reference else key

    def missing(self, variables: Mapping[str, str]) -> list[str]:
        return [name for name in self.names if not variables.get(name)]

    def secret(self, keys: Keys, variables: Mapping[str, str]) -> str:
        """The stack's secret as JSON: the keys, and the values that the config refers to.

        Raises ConfigRefused when a provider's key is the gateway's own: it would call itself.
        """
        values = {name: variables[name] for name in self.names if variables.get(name)}
        own = {keys.master, keys.second}
        master_name = (self.document.get("general_settings") or {}).get("master_key")
        for name, value in values.items():
            if value in own and master_name != f"os.environ/{name}":
                raise ConfigRefused(
                    f"{name} in this shell is the gateway's own key, not a provider's (did .local/env "
                    f"set it?). Set {name} to your provider's key and start again."
                )
        for place, value in _api_keys(self.document):
            if value in own:
                raise ConfigRefused(f"{self.path}: {place} is the gateway's own key.")
        second = hashlib.sha256(keys.second.encode()).hexdigest()
        return json.dumps({**values, "master_key": keys.master, "keys": {"second": second}})


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _api_keys(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    models = document.get("model_list")
    for number, model in enumerate(models if isinstance(models, list) else []):
        parameters = model.get("litellm_params") if isinstance(model, dict) else None
        if isinstance(parameters, dict):
            yield f"model_list[{number}].litellm_params.api_key", parameters.get("api_key")
