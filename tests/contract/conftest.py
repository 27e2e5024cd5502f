"""Fixtures of the contract tests: the API on a real socket, and the emulator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import boto3
import httpx
import openai
import pytest
import yaml
from moto.server import ThreadedMotoServer

from local.simulator.client import SimulatorClient
from tests.contract.api_gateway import ApiGateway
from tests.contract.gateway_server import GatewayServer, serving
from tests.contract.life import Life
from tests.contract.miniature import Miniature, deploy_miniature
from tests.unit.conftest import ENVIRONMENT, _moto, aws

__all__ = ["_moto", "aws"]  # fixtures

MASTER_KEY = "sk-1234"
OTHER_KEY = "sk-other"
MODELS = {
    "openai": ["gpt-5-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "openai/*"],
    "anthropic": ["claude-haiku-4-5"],
    "azure": ["azure/my-gpt", "azure/my-gpt-globalbatch"],
    "bedrock": ["bedrock/anthropic.claude-haiku-4-5-20251001-v1:0"],
    "cohere": ["command-a-03-2025", "embed-v4.0"],
    "gemini": ["gemini/gemini-2.5-flash"],
    "mistral": ["mistral/mistral-small-latest"],
    "groq": ["groq/*"],
    "perplexity": ["perplexity/*"],
}
BULK = "in-bulk"  # whose prompts always become a batch
CLAUDE_IN_BULK = "anthropic/claude-3.5-sonnet"  # as those of LiteLLM's page
DIRECT = "one-by-one"  # whose batches the gateway calls itself
PRICED = "priced"  # costs these dollars for a token, and half of it in a batch
INPUT_PRICE, OUTPUT_PRICE = 2.5e-6, 1e-5
SHAKY = "shaky"  # whose place gpt-4o-mini takes when it fails
PRICES = {
    "input_cost_per_token": INPUT_PRICE,
    "output_cost_per_token": OUTPUT_PRICE,
    "input_cost_per_token_batches": INPUT_PRICE / 2,
    "output_cost_per_token_batches": OUTPUT_PRICE / 2,
}


@pytest.fixture(scope="session")
def _sockets() -> Iterator[str]:
    """Moto's stores on a socket: presigned URLs lead there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def _bucket_on_a_socket(aws: None, _sockets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 at an address that presigned URLs can name, and that moto answers for within the process."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", _sockets)
    monkeypatch.setenv("MOTO_S3_CUSTOM_ENDPOINTS", _sockets)


@pytest.fixture
def gateway(_bucket_on_a_socket: None, simulator: SimulatorClient) -> ApiGateway:
    """The API on empty stores; its models are the simulator's, its owners `admin` and `other`."""
    config = {
        "general_settings": {"master_key": MASTER_KEY},
        "litellm_settings": {"fallbacks": [{SHAKY: ["gpt-4o-mini"]}]},
        "model_list": [
            *(
                _model(name, f"{provider}/{name.removeprefix(f'{provider}/')}", simulator)
                for provider, names in MODELS.items()
                for name in names
            ),
            {**_model(BULK, "openai/gpt-4o-mini", simulator), "batch_enabled": True},
            {**_model(CLAUDE_IN_BULK, CLAUDE_IN_BULK, simulator), "batch_enabled": True},
            {**_model(DIRECT, "openai/gpt-4o-mini", simulator), "batch": "direct"},
            _model(SHAKY, "openai/gpt-4o", simulator),
            {**_model(PRICED, "openai/gpt-4o", simulator), "model_info": PRICES},
        ],
    }
    secret = {
        "keys": {"other": hashlib.sha256(OTHER_KEY.encode()).hexdigest()},
        "SIMULATOR_KEY": "sk-simulator",
    }
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"], Key="config/config.yaml", Body=yaml.safe_dump(config)
    )
    boto3.client("secretsmanager").create_secret(
        Name=ENVIRONMENT["SECRET_NAME"], SecretString=json.dumps(secret)
    )
    return ApiGateway()


def _model(name: str, model: str, simulator: SimulatorClient) -> dict[str, object]:
    """An entry that the simulator answers, as the provider that `model` names."""
    return {
        "model_name": name,
        "litellm_params": {
            "model": model,
            "api_base": simulator.base_of(model.partition("/")[0]),
            "api_key": "os.environ/SIMULATOR_KEY",
        },
    }


@pytest.fixture
def server(gateway: ApiGateway) -> Iterator[GatewayServer]:
    with serving(gateway) as server:
        yield server


@pytest.fixture
def life(gateway: ApiGateway) -> Life:
    return Life(gateway)


@pytest.fixture
def client(server: GatewayServer) -> Iterator[openai.OpenAI]:
    """The newest official client, as the owner `admin`."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=MASTER_KEY) as client:
        yield client


@pytest.fixture
def other(server: GatewayServer) -> Iterator[openai.OpenAI]:
    """The same as another owner."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=OTHER_KEY) as client:
        yield client


@pytest.fixture
def http(server: GatewayServer) -> Iterator[httpx.Client]:
    """A plain client with the master key, for what the official one can't say."""
    headers = {"authorization": f"Bearer {MASTER_KEY}"}
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, trust_env=False) as http:
        yield http


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Miniature]:
    """The emulator with the miniature deployed, once for all fidelity tests."""
    miniature = deploy_miniature(tmp_path_factory.mktemp("emulator"))
    with miniature.http:
        yield miniature
    miniature.emulator.process.stop()


@pytest.fixture(autouse=True)
def _no_kill_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "miniature" in request.fixturenames:
        request.getfixturevalue("miniature").emulator.forget_kills()
