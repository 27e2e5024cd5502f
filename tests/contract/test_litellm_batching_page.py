"""LiteLLM's page on batching completions, where it shows a proxy: its config, its curl line, and its client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import boto3
import openai
import pytest
import yaml

from local.simulator.client import SimulatorClient
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.unit.conftest import ENVIRONMENT

pytestmark = pytest.mark.of("groq")

NAMES = "gpt-4o, groq-llama"


@pytest.fixture(autouse=True)
def _config(server: GatewayServer, simulator: SimulatorClient) -> None:
    """The page's models, by keys in the stack's secret, at the simulator's addresses."""
    models = {"groq-llama": ("groq/llama3-8b-8192", "groq"), "gpt-4o": ("gpt-4o", "openai")}
    config = {
        "general_settings": {"master_key": MASTER_KEY},
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {
                    "model": model,
                    "api_key": "os.environ/SIMULATOR_KEY",
                    "api_base": simulator.base_of(provider),
                },
            }
            for name, (model, provider) in models.items()
        ],
    }
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"], Key="config/config.yaml", Body=yaml.safe_dump(config)
    )


@pytest.fixture
def _openai_is_held(simulator: SimulatorClient) -> Iterator[None]:
    simulator.behave({"kind": "hold", "match": {"provider": "openai"}})
    yield
    simulator.until_calls("disconnected", provider="openai")


@pytest.mark.usefixtures("_openai_is_held")
def test_the_curl_line(server: GatewayServer) -> None:
    body = {
        "model": NAMES,
        "messages": [{"role": "user", "content": "What's the weather like in Boston today?"}],
        "stream": True,
        "fastest_response": True,
    }
    command = ["curl", "--silent", "--noproxy", "*", "-X", "POST", f"{server.url}/chat/completions"]
    command += ["-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {MASTER_KEY}"]

    printed = subprocess.run(
        [*command, "-d", json.dumps(body)], capture_output=True, text=True, check=True
    ).stdout

    *events, done = [line.removeprefix("data: ") for line in printed.splitlines() if line]
    assert done == "[DONE]"
    assert {json.loads(event)["model"] for event in events} == {"groq-llama"}


@pytest.mark.usefixtures("_openai_is_held")
def test_the_client(server: GatewayServer) -> None:
    with openai.OpenAI(api_key=MASTER_KEY, base_url=server.url) as client:
        response = client.chat.completions.create(
            model=NAMES,
            messages=[{"role": "user", "content": "this is a test, write a short poem"}],
            extra_body={"fastest_response": True},
        )

    assert response.model == "groq-llama"
    assert response.choices[0].message.content
