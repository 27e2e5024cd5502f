"""What a caller asks for reaches every provider, or is refused by its name."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from nightmail.errors import InvalidRequest

from tests.unit.adapters.asked import BODY, asked, written
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


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_reaches_the_provider(samples: AdapterSamples, feature: Feature) -> None:
    if words := samples.refused_features.get(feature.name):
        with pytest.raises(InvalidRequest, match=words):
            asked(samples, feature.body)
        return
    request = asked(samples, feature.body)
    if feature.name not in samples.reworded:
        assert [text for text in feature.carries if text not in request] == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_reaches_the_provider_or_is_refused_by_name(
    samples: AdapterSamples, name: str
) -> None:
    body = {"messages": QUESTION, name: PARAMETERS[name]}
    if name in samples.refused:
        with pytest.raises(InvalidRequest) as caught:
            asked(samples, body)
        assert (caught.value.param, caught.value.http_status) == (name, 400)
        assert name in caught.value.message
    elif name not in samples.reworded:
        value = json.dumps(PARAMETERS[name])
        assert value in asked(samples, body)
        assert value not in asked(samples, {"messages": QUESTION})


def test_with_drop_params_what_the_provider_has_not_is_left_out(samples: AdapterSamples) -> None:
    plain = asked(samples, {"messages": QUESTION})
    for name in samples.refused:
        body = {"messages": QUESTION, name: PARAMETERS[name]}
        assert asked(samples, body, drop_params=True) == plain
        assert asked(samples, {**body, "drop_params": True}) == plain


def test_drop_params_is_never_sent(samples: AdapterSamples) -> None:
    assert "drop_params" not in asked(samples, {"messages": QUESTION, "drop_params": False})


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_of_null_is_never_refused(samples: AdapterSamples, name: str) -> None:
    asked(samples, {"messages": QUESTION, name: None})


def test_the_providers_own_name_of_the_model_is_sent(samples: AdapterSamples) -> None:
    request = written(samples, {"messages": QUESTION, "model": "whatever"})
    assert samples.model in request.content.decode() + request.url
    assert "whatever" not in request.content.decode()


def test_the_deployments_own_parameters_are_sent_where_the_request_has_none(
    samples: AdapterSamples,
) -> None:
    changed = {"defaults": {"temperature": 0.125, "max_tokens": 777}}
    assert "0.125" in asked(samples, {"messages": QUESTION}, **changed)
    assert "777" in asked(samples, {"messages": QUESTION}, **changed)
    over = asked(samples, {"messages": QUESTION, "temperature": 0.5, "max_tokens": 99}, **changed)
    assert "0.125" not in over
    assert "777" not in over
    assert "777" not in asked(
        samples, {"messages": QUESTION, "max_completion_tokens": 99}, **changed
    )


def test_the_body_that_is_given_is_not_changed(samples: AdapterSamples) -> None:
    for feature in FEATURES:
        before = json.dumps(feature.body)
        with suppress(InvalidRequest):
            asked(samples, feature.body)
        assert json.dumps(feature.body) == before


def test_the_key_is_in_the_headers_alone(samples: AdapterSamples) -> None:
    request = written(samples, {"messages": QUESTION})
    assert any(KEY in value for value in request.headers.values())
    assert KEY not in request.url
    assert KEY.encode() not in request.content
    assert request.headers["content-type"] == "application/json"
    assert all(name == name.lower() for name in request.headers)


@pytest.mark.parametrize("base", ["https://other.example", "https://other.example/"])
def test_an_api_base_is_where_requests_go(samples: AdapterSamples, base: str) -> None:
    url = written(samples, {"messages": QUESTION}, api_base=base).url
    assert url.startswith("https://other.example/")
    assert "//" not in url.removeprefix("https://")


def test_a_stream_is_asked_for(samples: AdapterSamples) -> None:
    adapter = samples.adapter()
    body = {**samples.extra, **BODY, "stream": True, "stream_options": {"include_usage": True}}
    streamed = adapter.request(CHAT, body, stream=True)
    plain = json.loads(adapter.request(CHAT, body).content)
    if samples.has_stream_in_url:
        assert streamed.url != adapter.request(CHAT, body).url
        assert "stream" in streamed.url
        assert json.loads(streamed.content) == plain
    else:
        assert json.loads(streamed.content)["stream"] is True
    assert not plain.get("stream")
    assert "stream_options" not in plain


def test_what_is_no_json_is_refused(samples: AdapterSamples) -> None:
    with pytest.raises(InvalidRequest):
        asked(samples, {"messages": [{"role": "user", "content": object()}]})


@pytest.mark.parametrize("endpoint", ["/v1/images", "/v1/files", ""])
def test_an_endpoint_that_it_has_not_is_refused(samples: AdapterSamples, endpoint: str) -> None:
    adapter = samples.adapter()
    assert endpoint not in adapter.endpoints
    with pytest.raises(InvalidRequest):
        adapter.request(endpoint, BODY)


def test_embeddings_are_asked_for_where_there_are_any(samples: AdapterSamples) -> None:
    adapter = samples.adapter()
    assert (EMBEDDINGS in adapter.endpoints) is (samples.embeddings is not None)
    body = {"model": "any", "input": list(INPUTS)}
    if samples.embeddings is None:
        with pytest.raises(InvalidRequest):
            adapter.request(EMBEDDINGS, body)
    else:
        content = adapter.request(EMBEDDINGS, body).content.decode()
        assert [text for text in (*INPUTS, samples.model) if f'{text}"' not in content] == []
