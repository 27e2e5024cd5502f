"""What docs/providers.md says of the servers that share a folder is so for each of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, ENDPOINTS
from nightmail.errors import InvalidRequest
from nightmail.providers.compatible.card import CARD
from nightmail.providers.registry import has_native_lane, open_direct, open_format

from local.provider_table import page

NAMES = sorted(CARD.names)
QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}
BODIES: Mapping[str, Mapping[str, Any]] = {
    CHAT: QUESTION,
    "/v1/completions": {"prompt": "Hi"},
    "/v1/embeddings": {"input": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/moderations": {"input": "Hi"},
}


def row_of(name: str, table: int) -> dict[str, str]:
    """What one of the page's tables says about a provider, by its columns."""
    tables = [part for part in page().split("\n\n") if part.startswith("| provider |")]
    head, _, *rows = [line.strip("| ").split(" | ") for line in tables[table].splitlines()]
    (found,) = [cells(row, len(head)) for row in rows if f"`{name}`" in row[0].split(", ")]
    return dict(zip(head, found, strict=True))


def cells(row: list[str], width: int) -> list[str]:
    """Empty ones at the end were stripped with the row's frame."""
    return [*(cell.strip() for cell in row), *[""] * (width - len(row))]


def deployment(name: str, **more: Any) -> Deployment:
    fields = {"name": "any", "provider": name, "model": "m", "api_base": "http://server.example/v1"}
    return Deployment.model_validate({**fields, **more})


def takes(name: str, endpoint: str, body: Mapping[str, Any]) -> bool:
    try:
        open_direct(deployment(name), "key").request(endpoint, body)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_an_endpoint_is_in_the_table_where_a_request_to_it_can_be_written(name: str) -> None:
    told = row_of(name, 0)
    native = open_format(deployment(name, lane="native")).endpoints
    for endpoint in ENDPOINTS:
        lanes = [lane for lane in told[f"`{endpoint}`"].split(", ") if lane]
        assert ("direct" in lanes) is takes(name, endpoint, BODIES[endpoint])
        assert ("(native)" in lanes) is (endpoint in native)
        assert "native" not in lanes


@pytest.mark.parametrize("name", NAMES)
def test_the_native_lane_is_there_only_where_the_config_says_so(name: str) -> None:
    assert not has_native_lane(deployment(name))
    assert has_native_lane(deployment(name, lane="native"))


def test_servers_that_differ_have_rows_of_their_own() -> None:
    assert row_of("deepseek", 0)["`/v1/embeddings`"] == ""
    assert row_of("vllm", 0)["`/v1/moderations`"] == ""
    assert row_of("custom_openai", 0)["`/v1/moderations`"] == "(native), direct"


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_is_in_the_table_where_no_request_with_it_is_refused(name: str) -> None:
    told = row_of(name, 2)
    assert (told["`n`"] == "yes") is takes(name, CHAT, {**QUESTION, "n": 2})
    assert (told["`seed`"] == "yes") is takes(name, CHAT, {**QUESTION, "seed": 7})


def test_ollama_has_no_second_choice_and_others_have() -> None:
    assert row_of("ollama", 2)["`n`"] == ""
    assert row_of("lm_studio", 2)["`n`"] == "yes"
