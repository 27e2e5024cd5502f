"""What a line asks for reaches the provider's batch as it would reach its ordinary endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.errors import InvalidRequest

from tests.unit.adapters.asked import asked
from tests.unit.adapters.cases import (
    CHAT,
    EMBEDDINGS,
    FEATURES,
    INPUTS,
    KEY,
    PARAMETERS,
    QUESTION,
    URL,
    Feature,
)
from tests.unit.native.cases import Json, NativeSamples, a_line_id, number_of


def request(samples: NativeSamples, body: Mapping[str, Any], **changed: Any) -> Json:
    return samples.request_in(samples.sent(body, **changed))


def features(samples: NativeSamples) -> list[Feature]:
    return [feature for feature in FEATURES if samples.has(feature.name)]


def direct(samples: NativeSamples, body: Mapping[str, Any], **changed: Any) -> Json:
    """What the direct lane sends."""
    sent: Json = json.loads(asked(samples.direct, body, **changed))
    return sent


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_asked_for_as_on_the_direct_lane(
    samples: NativeSamples, feature: Feature
) -> None:
    if samples.has(feature.name):
        assert request(samples, feature.body) == direct(samples, feature.body)
    else:
        with pytest.raises(InvalidRequest):
            samples.sent(feature.body)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_taken_or_refused_as_on_the_direct_lane(
    samples: NativeSamples, name: str
) -> None:
    body = {"messages": QUESTION, name: PARAMETERS[name]}
    if name in samples.direct.refused:
        with pytest.raises(InvalidRequest) as caught:
            samples.sent(body)
        assert caught.value.param == name
        assert request(samples, body, drop_params=True) == direct(samples, {"messages": QUESTION})
        assert request(samples, {**body, "drop_params": True}) == request(
            samples, {"messages": QUESTION}
        )
    else:
        assert request(samples, body) == direct(samples, body)


@pytest.mark.parametrize(
    "more", [{}, {"temperature": 0.5, "max_tokens": 99}, {"max_completion_tokens": 99}]
)
def test_the_deployments_own_parameters_are_sent_where_the_line_has_none(
    samples: NativeSamples, more: Json
) -> None:
    changed = {"defaults": {"temperature": 0.125, "max_tokens": 777}}
    body = {"messages": QUESTION, **more}
    assert request(samples, body, **changed) == direct(samples, body, **changed)


def test_a_line_never_asks_for_a_stream(samples: NativeSamples) -> None:
    body = {"messages": QUESTION, "stream": False, "stream_options": None}
    assert request(samples, body) == direct(samples, {"messages": QUESTION})


def test_embeddings_go_natively_where_the_provider_has_them(samples: NativeSamples) -> None:
    has_them = EMBEDDINGS in samples.format().endpoints
    assert has_them is (samples.embeds and samples.direct.embeddings is not None)
    if has_them:
        body = {"input": list(INPUTS), "encoding_format": "base64"}
        sent = samples.request_in(samples.sent(body, EMBEDDINGS))
        adapter = samples.direct.adapter()
        assert sent == json.loads(adapter.request(EMBEDDINGS, {"model": "any", **body}).content)


def test_the_native_lane_has_no_endpoint_that_the_direct_one_lacks(samples: NativeSamples) -> None:
    assert samples.format().endpoints <= samples.direct.adapter().endpoints
    assert CHAT in samples.format().endpoints


def test_a_line_is_one_line_and_known_by_its_id(samples: NativeSamples) -> None:
    for feature in features(samples):
        line = samples.line(12, feature.body)
        written = samples.format().to_line(line, a_line_id(12))
        assert written.endswith(b"}\n")
        assert written.count(b"\n") == 1
        assert f'"{a_line_id(12)}"'.encode() in written
        assert line.custom_id.encode() not in written


def test_a_line_holds_neither_key_nor_address(samples: NativeSamples) -> None:
    sent = json.dumps(samples.sent({"messages": QUESTION}, api_base=URL))
    assert KEY not in sent
    assert "10.0.0.7" not in sent


def test_the_body_of_a_line_is_not_changed(samples: NativeSamples) -> None:
    for feature in features(samples):
        before = json.dumps(feature.body)
        samples.sent(feature.body)
        assert json.dumps(feature.body) == before


def test_the_limits_leave_room_for_one_line_at_least(samples: NativeSamples) -> None:
    limits = samples.format().limits
    assert limits.lines >= limits.minimum_lines >= 1
    assert limits.bytes > 1024 * 1024
    assert limits.window_seconds >= 3600


def test_who_counts_nothing_while_it_works_says_so(samples: NativeSamples) -> None:
    counts = samples.counts and samples.counts_while_it_runs
    assert samples.format().live_counts is counts


def test_ids_that_are_sent_are_known_again(samples: NativeSamples) -> None:
    assert number_of(a_line_id(999_999_999_999)) == 999_999_999_999


def test_lines_are_what_the_provider_describes(samples: NativeSamples) -> None:
    undescribed = samples.direct.undescribed | samples.direct.refused
    bodies = {feature.name: feature.body for feature in features(samples)}
    bodies |= {name: {"messages": QUESTION, name: value} for name, value in PARAMETERS.items()}
    wanted = bodies.keys() - undescribed
    samples.check_lines([samples.sent(bodies[name]) for name in wanted])
