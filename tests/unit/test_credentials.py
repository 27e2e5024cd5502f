"""References become values, and keys become owners; nothing of them is ever told."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from nightmail.config.credentials import Credentials
from nightmail.config.gateway import parse_config
from nightmail.config.secret import StackSecret, parse_secret
from nightmail.errors import ConfigError, CredentialMissing, InvalidConfig, StorageUnavailable

from tests.unit.conftest import ENVIRONMENT

NAME = ENVIRONMENT["SECRET_NAME"]
VALUE = "sk-a-value-that-nobody-may-see"


def hashed(key: str) -> str:
    return sha256(key.encode()).hexdigest()


class Keyring:
    """A stack's secret, a config and an environment, and the credentials made of them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.reads = 0
        self.config = ""
        self.environment: dict[str, str] = {}
        self.client = boto3.client("secretsmanager")
        self.client.create_secret(Name=NAME, SecretString="{}")
        self.client.meta.events.register("before-call.secrets-manager.GetSecretValue", self._count)
        secret = StackSecret(self.client, NAME, clock=lambda: self.seconds)
        self.credentials = Credentials(secret, lambda: parse_config(self.config), self.environment)

    def put(self, content: dict[str, Any] | str) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        self.client.put_secret_value(SecretId=NAME, SecretString=text)

    def _count(self, **_: Any) -> None:
        self.reads += 1


@pytest.fixture
def keyring(aws: None) -> Keyring:
    return Keyring()


def test_a_name_is_looked_for_in_the_secret_then_the_config_then_the_environment(
    keyring: Keyring,
) -> None:
    keyring.put({"A": "secret"})
    keyring.config = "environment_variables: {A: config, B: config}"
    keyring.environment.update(A="function", B="function", C="function")
    values = [keyring.credentials.resolve(f"os.environ/{name}") for name in "ABC"]
    assert values == ["secret", "config", "function"]


def test_a_plain_text_is_itself(keyring: Keyring) -> None:
    assert keyring.credentials.resolve("https://host/v1") == "https://host/v1"
    assert keyring.reads == 0


def test_a_key_written_in_the_config_is_found_while_it_is_there(keyring: Keyring) -> None:
    entry = "model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_key: {}}}}}]"
    keyring.config = entry.format(VALUE)
    reference = parse_config(keyring.config).deployments("m")[0].api_key or ""
    assert keyring.credentials.resolve(reference) == VALUE
    keyring.config = entry.format("sk-the-next-one")
    with pytest.raises(CredentialMissing, match="config/m#") as caught:
        keyring.credentials.resolve(reference)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("content", [{}, {"A": ""}, {"A": 1}, {"A": None}, {"a": "x"}])
def test_a_missing_value_is_named_with_what_to_do(
    keyring: Keyring, content: dict[str, Any]
) -> None:
    keyring.put(content)
    with pytest.raises(CredentialMissing, match="add A to the stack's secret") as caught:
        keyring.credentials.resolve("os.environ/A")
    assert "export A, and run make local CONFIG=... again" in caught.value.message


@pytest.mark.parametrize("name", ["master_key", "keys"])
def test_the_gateways_own_keys_are_no_values(keyring: Keyring, name: str) -> None:
    keyring.put({"master_key": VALUE, "keys": {"me": hashed(VALUE)}})
    with pytest.raises(CredentialMissing):
        keyring.credentials.resolve(f"os.environ/{name}")


def test_a_value_is_stripped_of_a_pasted_line_break(keyring: Keyring) -> None:
    keyring.put({"A": f" {VALUE}\n"})
    assert keyring.credentials.resolve("os.environ/A") == VALUE


@pytest.mark.parametrize("value", [f"{VALUE}\nsecond line", f"{VALUE}é", f"{VALUE}\x00"])
def test_a_value_that_no_header_takes_is_refused_without_being_shown(
    keyring: Keyring, value: str
) -> None:
    keyring.put({"A": value})
    with pytest.raises(InvalidConfig, match=r"^A holds") as caught:
        keyring.credentials.resolve("os.environ/A")
    assert VALUE not in str(caught.value)


def test_the_secret_is_read_once_a_minute(keyring: Keyring) -> None:
    keyring.put({"A": "old"})
    assert keyring.credentials.resolve("os.environ/A") == "old"
    keyring.put({"A": "new"})
    keyring.seconds = 59
    assert keyring.credentials.resolve("os.environ/A") == "old"
    assert keyring.reads == 1
    keyring.seconds = 60
    assert keyring.credentials.resolve("os.environ/A") == "new"


def test_a_name_that_was_just_added_is_found_within_seconds(keyring: Keyring) -> None:
    for seconds in (0, 4):
        keyring.seconds = seconds
        with pytest.raises(CredentialMissing):
            keyring.credentials.resolve("os.environ/A")
    assert keyring.reads == 1
    keyring.put({"A": VALUE})
    keyring.seconds = 5
    assert keyring.credentials.resolve("os.environ/A") == VALUE


def test_a_key_belongs_to_the_owner_whose_digest_it_has(keyring: Keyring) -> None:
    keyring.put(
        {"master_key": "sk-m", "keys": {"ann": hashed("sk-a"), "admin": hashed("sk-b").upper()}}
    )
    owners = [keyring.credentials.owner_of(key) for key in ("sk-m", "sk-a", "sk-b")]
    assert owners == ["admin", "ann", "admin"]


@pytest.mark.parametrize("key", ["", "sk-A", "sk-a ", "sk-\ud800", hashed("sk-a")])
def test_any_other_key_is_nobodys(keyring: Keyring, key: str) -> None:
    keyring.put({"master_key": "", "keys": {"ann": hashed("sk-a")}})
    assert keyring.credentials.owner_of(key) is None


@pytest.mark.parametrize("owner", ["", ".", "..", "a/b", "a b", "é", "a" * 65, "a\n"])
def test_an_owner_whose_name_cannot_be_used_is_ignored_with_a_warning(
    owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = parse_secret(json.dumps({"keys": {owner: hashed("k"), "ann": hashed("a")}}))
    assert content.owner_of("k") is None
    assert content.owner_of("a") == "ann"
    assert vars(caplog.records[0])["names"] == [owner]


@pytest.mark.parametrize("digest", ["", "sk-plain", "é" * 64, 1, None, hashed("k")[1:]])
def test_a_digest_that_is_none_is_ignored_with_a_warning(
    digest: Any, caplog: pytest.LogCaptureFixture
) -> None:
    content = parse_secret(json.dumps({"keys": {"ann": digest}}))
    assert content.owner_of("k") is None
    assert vars(caplog.records[0])["names"] == ["ann"]


@pytest.mark.parametrize(
    "master", ["sk-1234", "os.environ/GATEWAY_KEY"], ids=["written", "referred to"]
)
def test_the_configs_master_key_is_the_administrators_too(keyring: Keyring, master: str) -> None:
    keyring.put({"master_key": "sk-m", "GATEWAY_KEY": "sk-1234"})
    keyring.config = f"general_settings: {{master_key: {master}}}"
    owners = [keyring.credentials.owner_of(key) for key in ("sk-1234", "sk-m", "sk-other")]
    assert owners == ["admin", "admin", None]


def test_a_master_key_that_is_missing_lets_nobody_in(keyring: Keyring) -> None:
    keyring.config = "general_settings: {master_key: os.environ/GATEWAY_KEY}"
    assert keyring.credentials.owner_of("os.environ/GATEWAY_KEY") is None


def test_a_key_that_was_just_added_is_known_within_seconds(keyring: Keyring) -> None:
    assert keyring.credentials.owner_of("sk-a") is None
    keyring.put({"keys": {"ann": hashed("sk-a")}})
    keyring.seconds = 5
    assert keyring.credentials.owner_of("sk-a") == "ann"


def test_a_secret_that_cannot_be_read_is_an_error_and_no_answer(keyring: Keyring) -> None:
    stubber = Stubber(keyring.client)
    stubber.add_client_error("get_secret_value", service_error_code="InternalServiceError")
    with stubber, pytest.raises(StorageUnavailable):
        keyring.credentials.owner_of("sk-a")


@pytest.mark.parametrize("text", ["", "sk-a-value", "[1]", '"x"', f'{{"A": "{VALUE}"'])
def test_a_secret_that_is_no_json_object_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidConfig, match="no JSON object") as caught:
        parse_secret(text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_values_are_in_no_representation_and_no_log(
    keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    content = parse_secret(json.dumps({"A": VALUE, "B": 1, "keys": {"x": VALUE}}))
    keyring.put({"A": f"{VALUE}\n\n{VALUE}"})
    with pytest.raises(ConfigError) as caught:
        keyring.credentials.resolve("os.environ/A")
    assert VALUE not in repr(content) + repr(caught.value) + str([vars(r) for r in caplog.records])


def test_a_wrong_key_is_nobodys_while_the_config_is_broken(keyring: Keyring) -> None:
    keyring.put({"master_key": "sk-master"})
    keyring.config = "model_list: 5"
    assert keyring.credentials.owner_of("sk-wrong") is None
    assert keyring.credentials.owner_of("sk-master") == "admin"
