"""The simulator's Mistral: its errors, and its older word for a required tool."""

from __future__ import annotations

import httpx
import pytest

from local.simulator.client import SimulatorClient
from tests.unit.machine import Json

QUESTION = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def answer(
    simulator: SimulatorClient, body: Json, path: str = "/chat/completions"
) -> httpx.Response:
    headers = {"authorization": "Bearer sk-m"}
    url = simulator.base_of("mistral") + path
    return httpx.post(url, json=body, headers=headers, trust_env=False)


def test_a_request_of_a_wrong_form_is_refused_with_a_list(simulator: SimulatorClient) -> None:
    refused = answer(simulator, {**QUESTION, "temperature": "hot"})
    assert refused.status_code == 422
    (wrong,) = refused.json()["detail"]
    assert wrong["loc"] == ["body", "temperature"]
    assert wrong["msg"]


@pytest.mark.parametrize("body", [{}, {"endpoint": "/v1/fim/completions"}, {"input_files": []}])
def test_a_job_of_a_wrong_form_is_refused_with_a_list(
    simulator: SimulatorClient, body: Json
) -> None:
    refused = answer(simulator, body, "/batch/jobs")
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "endpoint"]


def test_any_other_refusal_is_an_error_without_an_envelope(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "status", "status": 429})
    refused = answer(simulator, QUESTION)
    assert refused.status_code == 429
    assert refused.json().keys() == {"object", "message", "type", "param", "code"}
    assert answer(simulator, {}, "/batch/jobs/none/cancel").json()["object"] == "error"


@pytest.mark.parametrize("choice", ["any", "required"])
def test_a_tool_that_has_to_be_called_is_asked_for_by_either_word(
    simulator: SimulatorClient, choice: str
) -> None:
    given = answer(simulator, {**QUESTION, "tools": [TOOL], "tool_choice": choice})
    assert given.json()["choices"][0]["message"]["tool_calls"]
