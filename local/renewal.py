"""Another config, or other keys, for a local cloud that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from local.cloud import put_config, write_env
from local.deploy import Stack, describe
from local.emulator import session_at
from local.provider_config import Keys, ProviderConfig, with_simulator


@dataclass(frozen=True)
class Renewed:
    """`variables` are the cloud's from now on; `missing` are names that nobody has given a value."""

    variables: dict[str, str]
    missing: list[str]
    warnings: tuple[str, ...]


def renew(
    state: Path, running: Mapping[str, str], path: Path, variables: Mapping[str, str]
) -> Renewed:
    """Put the config at `path`, and what it asks of `variables`, into the cloud of a state folder.

    `running` is what `running_variables` tells. What was in the secret before stays, unless `variables`
    say otherwise: a shell need not have all keys. Raises ConfigRefused, and changes nothing then.
    """
    config = ProviderConfig.read(path)
    session = session_at(running["AWS_ENDPOINT_URL"])
    stack = describe(running["NIGHTMAIL_STACK"], session)
    known = _secret(stack, session)
    given = with_simulator(variables, running["NIGHTMAIL_SIMULATOR_URL"])
    held = {name: text for name, text in known.items() if isinstance(text, str)}
    found = {**held, **{name: text for name, text in given.items() if text}}
    keys = Keys.kept(state, config.master_key(found))
    new = json.loads(config.secret(keys, found))
    owners = {**known.get("keys", {}), **new["keys"]}
    put_config(stack, session, config, json.dumps({**known, **new, "keys": owners}))
    renewed = {
        **running,
        "OPENAI_API_KEY": keys.master,
        "NIGHTMAIL_API_KEY": keys.master,
        "NIGHTMAIL_CONFIG": str(path.resolve()),
    }
    write_env(state, renewed)
    return Renewed(renewed, config.missing(found), config.config.warnings)


def _secret(stack: Stack, session: boto3.Session) -> dict[str, Any]:
    client = session.client("secretsmanager")
    held: dict[str, Any] = json.loads(
        client.get_secret_value(SecretId=stack.outputs["SecretName"])["SecretString"]
    )
    return held
