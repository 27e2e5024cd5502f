"""Every adapter speaks to the provider simulator, which holds requests against the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from nightmail.providers.direct import DirectProvider, HttpAnswer, JsonObject

from local.simulator.client import SimulatorClient
from tests.unit.adapters.asked import choices, text_of
from tests.unit.adapters.cases import (
    CHAT,
    EMBEDDINGS,
    FEATURES,
    INPUTS,
    KEY,
    PARAMETERS,
    QUESTION,
    AdapterSamples,
    Feature,
)

TOOLS = next(feature.body for feature in FEATURES if feature.name == "tools")


class Caller:
    """Sends what an adapter writes, and has it read what comes."""

    def __init__(
        self, samples: AdapterSamples, simulator: SimulatorClient, http: httpx.Client
    ) -> None:
        self._samples = samples
        base = simulator.base_of(samples.provider)
        self._adapter: DirectProvider = samples.open(samples.deployment(api_base=base), KEY)
        self._http = http

    def ask(self, body: Any, endpoint: str = CHAT) -> JsonObject:
        body = {"model": "any", **self._samples.extra, **body}
        request = self._adapter.request(endpoint, body)
        answer = self._http.post(request.url, content=request.content, headers=request.headers)
        assert answer.status_code == 200, answer.text
        headers = dict(answer.headers)
        return self._adapter.answer(endpoint, body, HttpAnswer(200, headers, answer.content))

    def stream(self, body: Any) -> list[JsonObject]:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        body = {"model": "any", **self._samples.extra, **body, **options}
        request = self._adapter.request(CHAT, body, stream=True)
        reader = self._adapter.reader(body)
        with self._http.stream(
            "POST", request.url, content=request.content, headers=request.headers
        ) as answer:
            assert answer.status_code == 200, answer.read()
            chunks = [chunk for data in answer.iter_bytes() for chunk in reader.feed(data)]
        return chunks + reader.close()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as http:
        yield http


@pytest.fixture
def caller(samples: AdapterSamples, simulator: SimulatorClient, http: httpx.Client) -> Caller:
    return Caller(samples, simulator, http)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_taken_and_its_answer_is_read(
    caller: Caller, samples: AdapterSamples, feature: Feature
) -> None:
    if feature.name in samples.refused_features:
        pytest.skip("this provider has it not")
    whole = caller.ask(feature.body)["choices"][0]
    chunks = caller.stream(feature.body)

    reasons = [choice["finish_reason"] for choice in choices(chunks)]
    assert reasons[-1] == whole["finish_reason"]
    assert text_of(chunks) == (whole["message"]["content"] or "")
    assert (whole["finish_reason"] == "tool_calls") is (
        "must be" in feature.name or "named" in feature.name
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_that_is_not_refused_is_taken(
    caller: Caller, samples: AdapterSamples, name: str
) -> None:
    if name not in samples.refused:
        body = {"messages": QUESTION, name: PARAMETERS[name]}
        assert caller.ask(body)["choices"]
        assert caller.stream(body)


def test_several_calls_of_tools_are_the_same_in_a_stream(caller: Caller) -> None:
    messages = [{"role": "user", "content": "[[tool:2]] And [[cached:9]]?"}]
    whole = caller.ask({**TOOLS, "messages": messages})
    chunks = caller.stream({**TOOLS, "messages": messages})

    calls: dict[int, JsonObject] = {}
    for choice in choices(chunks):
        for piece in choice["delta"].get("tool_calls") or []:
            call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
            for name, value in piece["function"].items():
                call[name] += value or ""
    expected = [call["function"] for call in whole["choices"][0]["message"]["tool_calls"]]
    assert [calls[index] for index in sorted(calls)] == expected
    assert len(expected) == 2
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert usages[-1]["total_tokens"] == whole["usage"]["total_tokens"]
    assert whole["usage"]["prompt_tokens_details"]["cached_tokens"] == 9


def test_embeddings_are_read(caller: Caller, samples: AdapterSamples) -> None:
    if samples.embeddings is None:
        pytest.skip("this provider has no embeddings")
    answer = caller.ask({"input": list(INPUTS)}, EMBEDDINGS)

    assert [len(row["embedding"]) > 100 for row in answer["data"]] == [True, True]
