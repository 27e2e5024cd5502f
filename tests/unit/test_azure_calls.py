"""What of Azure's calls no other provider's calls share: addresses, versions, filters."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from nightmail.errors import InvalidRequest, ProviderRejected
from nightmail.providers.azure.service import headers_of
from nightmail.providers.direct import HttpAnswer
from nightmail.providers.registry import open_direct

from local.simulator.client import SimulatorClient
from tests.unit.adapters.azure_samples import AZURE
from tests.unit.adapters.cases import CHAT, EMBEDDINGS, KEY, QUESTION
from tests.unit.simulated_calls import answer, call_to

HOST = "https://mine.openai.azure.com"
DATED = "2024-10-21"
BODY = {"model": "any", "messages": QUESTION}


def url(endpoint: str = CHAT, **changed: Any) -> str:
    adapter = AZURE.adapter(**{"api_base": HOST, "model": "my-gpt", **changed})
    body = {"model": "any", "input": "Hi"} if endpoint != CHAT else BODY
    return adapter.request(endpoint, body).url


@pytest.mark.parametrize(
    "base",
    [HOST, f"{HOST}/", f"{HOST}/openai", f"{HOST}/openai/v1/", f"{HOST}/openai/deployments/other"],
)
def test_a_resource_is_found_by_any_of_its_urls(base: str) -> None:
    assert url(api_base=base) == f"{HOST}/openai/v1/chat/completions"
    dated = f"{HOST}/openai/deployments/my-gpt/chat/completions?api-version={DATED}"
    assert url(api_base=base, api_version=DATED) == dated


def test_a_proxy_before_a_resource_keeps_its_path() -> None:
    proxied = url(api_base="https://proxy.example/openai-team/azure")
    assert proxied == "https://proxy.example/openai-team/azure/openai/v1/chat/completions"


@pytest.mark.parametrize("version", ["v1", "latest", "preview"])
def test_a_version_without_a_date_is_of_the_surface_without_versions(version: str) -> None:
    found = url(api_version=version)
    assert found == f"{HOST}/openai/v1/chat/completions?api-version={version}"


def test_embeddings_name_their_deployment_and_responses_do_not() -> None:
    query = f"?api-version={DATED}"
    assert (
        url(EMBEDDINGS, api_version=DATED) == f"{HOST}/openai/deployments/my-gpt/embeddings{query}"
    )
    assert url("/v1/responses", api_version=DATED) == f"{HOST}/openai/responses{query}"


def test_a_deployments_name_cannot_lead_elsewhere() -> None:
    assert "/deployments/..%2Fa%3Fb/" in url(model="../a?b", api_version=DATED)


def test_the_key_goes_in_a_header_of_its_own() -> None:
    headers = AZURE.adapter().request(CHAT, BODY).headers
    assert headers == {"content-type": "application/json", "api-key": KEY}


def test_a_token_of_entras_goes_as_a_bearers() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2FpIn0.c2lnbmVk-_x"
    assert headers_of(token) == {"authorization": f"Bearer {token}"}
    assert headers_of(f"{token}.more") == {"api-key": f"{token}.more"}
    assert headers_of(None) == {}


def test_without_an_address_nothing_is_called() -> None:
    with pytest.raises(InvalidRequest, match="needs an api_base"):
        AZURE.adapter(api_base=None)


def test_what_a_filter_refused_is_the_callers_to_mend() -> None:
    error = {
        "message": "The response was filtered.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
    content = json.dumps({"error": error}).encode()
    with pytest.raises(ProviderRejected, match="The response was filtered") as caught:
        AZURE.adapter().answer(CHAT, BODY, HttpAnswer(400, {}, content))
    told = caught.value
    assert (told.http_status, told.code, told.param) == (400, "content_filter", "prompt")


@pytest.mark.parametrize("version", [None, DATED])
def test_both_surfaces_answer(simulator: SimulatorClient, version: str | None) -> None:
    base = simulator.base_of("azure")
    adapter = open_direct(AZURE.deployment(api_base=base, api_version=version), KEY)
    asked = adapter.request(CHAT, BODY)
    came = httpx.post(asked.url, content=asked.content, headers=asked.headers, trust_env=False)
    told = adapter.answer(CHAT, BODY, HttpAnswer(came.status_code, {}, came.content))
    assert told["choices"][0]["message"]["content"]
    (logged,) = simulator.calls()
    assert (logged["model"], logged["query"]) == (
        "own-model",
        f"api-version={version}" if version else "",
    )


def test_a_refused_key_is_told_in_the_services_words(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "refused_key"})
    with pytest.raises(ProviderRejected, match="azure answered 401: Incorrect API key") as caught:
        answer(call_to(simulator, "azure", "own-model", BODY))
    assert KEY not in caught.value.message
