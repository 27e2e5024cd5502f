"""Embeddings from Cohere, in OpenAI's words."""

from __future__ import annotations

import struct
from base64 import b64decode
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import InvalidRequest, ProviderError, ProviderGarbled, ProviderUnavailable
from nightmail.providers.direct import HttpAnswer

from tests.unit.cohere_calls import EMBEDDINGS, MODEL, answered, provider, sent

META = {"billed_units": {"input_tokens": 4}}


def embedded(body: dict[str, Any], vectors: Any, **changes: Any) -> dict[str, Any]:
    answer = {"id": "e1", "embeddings": {"float": vectors}, "meta": META, **changes}
    return answered(answer, EMBEDDINGS, body)


@pytest.mark.parametrize(("given", "texts"), [("Hi", ["Hi"]), (["Hi", "you"], ["Hi", "you"])])
def test_texts_are_asked_for_as_numbers(given: Any, texts: list[str]) -> None:
    assert sent({"input": given}, EMBEDDINGS) == {
        "model": MODEL,
        "texts": texts,
        "input_type": "search_document",
        "embedding_types": ["float"],
    }
    assert provider().request(EMBEDDINGS, {"input": given}).url.endswith("/v2/embed")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"dimensions": 256}, {"output_dimension": 256}),
        ({"input_type": "search_query"}, {"input_type": "search_query"}),
        ({"truncate": "END"}, {"truncate": "END"}),
        ({"max_tokens": 99}, {"max_tokens": 99}),
        ({"encoding_format": "base64"}, {}),
        ({"dimensions": None, "input_type": None, "user": None}, {}),
    ],
)
def test_a_parameter_goes_under_coheres_name(given: Any, expected: Any) -> None:
    plain = sent({"input": "Hi"}, EMBEDDINGS)
    assert sent({"input": "Hi", **given}, EMBEDDINGS) == plain | expected


def test_images_are_embedded_where_the_input_type_says_so() -> None:
    image = "data:image/png;base64,AAAA"
    fields = sent({"input": image, "input_type": "image"}, EMBEDDINGS)
    assert fields["images"] == [image]
    assert "texts" not in fields


@pytest.mark.parametrize("given", [None, 1, [1, 2], [[1, 2], [3]], ["a", 1], {"a": 1}])
def test_an_input_that_cohere_cannot_embed_is_named(given: Any) -> None:
    error = refusal({"input": given})
    assert (error.param, error.code) == ("input", "invalid_type")
    assert error.message == (
        "Invalid type for 'input': expected a string or an array of strings. "
        "Cohere takes texts and no token numbers."
    )


def test_the_most_that_one_request_holds_is_told_with_what_to_do() -> None:
    assert len(sent({"input": ["a"] * 96}, EMBEDDINGS)["texts"]) == 96
    error = refusal({"input": ["a"] * 97})
    assert (error.param, error.code) == ("input", "array_above_max_length")
    assert error.message == (
        "Invalid 'input': Cohere takes 1 to 96 texts in a request, but got 97. "
        "Send several requests, or a batch of them."
    )


def refusal(body: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        sent(body, EMBEDDINGS)
    return refused.value


def test_an_empty_list_is_told_as_such() -> None:
    error = refusal({"input": []})
    assert (error.param, error.code) == ("input", "empty_array")


@pytest.mark.parametrize("given", [{"user": "u"}, {"embedding_types": ["int8"]}])
def test_what_cohere_has_not_is_refused_by_name_or_dropped(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent({"input": "Hi", **given}, EMBEDDINGS)
    assert [refused.value.param] == list(given)
    dropped = sent({"input": "Hi", **given}, EMBEDDINGS, drop_params=True)
    assert dropped == sent({"input": "Hi"}, EMBEDDINGS)


def test_an_answer_is_a_list_of_embeddings_under_the_public_name() -> None:
    assert embedded({"input": ["a", "b"]}, [[0.5, 1.0], [0.25, -2.0]]) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]},
            {"object": "embedding", "index": 1, "embedding": [0.25, -2.0]},
        ],
        "model": "public",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
        "nightmail": {"provider": "cohere", "model": MODEL},
    }


def test_numbers_are_made_base64_where_it_is_asked_for() -> None:
    answer = embedded({"input": "a", "encoding_format": "base64"}, [[0.5, -2.0]])
    assert struct.unpack("<2f", b64decode(answer["data"][0]["embedding"])) == (0.5, -2.0)


@pytest.mark.parametrize("vectors", [None, {}, [], [[1.0], [2.0]]])
def test_an_embedding_that_is_missing_is_noticed(vectors: Any) -> None:
    with pytest.raises(ProviderGarbled) as failed:
        embedded({"input": "a"}, vectors)
    told = "cohere answered 200 with other than one embedding for each input."
    assert (failed.value.message, failed.value.upstream_status) == (told, 200)


def test_every_text_of_a_list_has_its_embedding() -> None:
    with pytest.raises(ProviderGarbled):
        embedded({"input": ["a", "b"]}, [[1.0]])


@pytest.mark.parametrize("vector", [["a"], [1e300], None, 3, {"a": 1}])
def test_what_is_no_embedding_is_garbled(vector: Any) -> None:
    with pytest.raises(ProviderGarbled) as failed:
        embedded({"input": "a", "encoding_format": "base64"}, [vector])
    told = "cohere answered 200 with something that is no embedding."
    assert (failed.value.message, failed.value.upstream_status) == (told, 200)


@pytest.mark.parametrize("body", [{"input": "a"}, {"input": "a", "encoding_format": "float"}])
def test_what_is_no_list_is_no_embedding(body: Any) -> None:
    with pytest.raises(ProviderGarbled, match="something that is no embedding"):
        embedded(body, ["a"])


def test_an_error_in_a_success_is_an_error() -> None:
    with pytest.raises(ProviderUnavailable, match="cohere answered 200: lost"):
        embedded({"input": "a"}, [[1.0]], message="lost")


def test_an_endpoint_that_cohere_has_not_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        provider().request("/v1/moderations", {"input": "a"})
    error = refused.value
    assert (error.param, error.code) == ("model", "unsupported_endpoint")
    assert error.message == (
        "The model 'public' cannot be used with /v1/moderations: "
        "cohere has it for /v1/chat/completions, /v1/embeddings."
    )


def test_the_deployments_parameters_for_chats_are_none_for_embeddings() -> None:
    plain = sent({"input": "Hi"}, EMBEDDINGS)
    defaults = {"temperature": 0.5, "dimensions": 256}
    with_size = plain | {"output_dimension": 256}
    assert sent({"input": "Hi"}, EMBEDDINGS, defaults=defaults) == with_size


def test_the_deployment_may_ask_for_base64() -> None:
    content = orjson.dumps({"embeddings": {"float": [[0.5]]}})
    deployed = provider(defaults={"encoding_format": "base64"})
    answer = deployed.answer(EMBEDDINGS, {"input": "a"}, HttpAnswer(200, {}, content))
    assert answer["data"][0]["embedding"] == "AAAAPw=="


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = ("dimensions", "input_type", "encoding_format", "user", "truncate", "what")


@given(st.fixed_dictionaries({"input": JSON}, optional=dict.fromkeys(NAMES, JSON)), st.booleans())
def test_any_body_is_sent_or_refused(body: dict[str, Any], drop: bool) -> None:
    with suppress(InvalidRequest):
        assert sent(body, EMBEDDINGS, drop_params=drop)["model"] == MODEL


@given(JSON, JSON, st.sampled_from(["float", "base64"]))
def test_any_answer_is_read_or_an_error_of_the_provider(vectors: Any, meta: Any, form: str) -> None:
    try:
        written = orjson.dumps({"embeddings": {"float": vectors}, "meta": meta})
    except TypeError:  # numbers of more than 64 bits are no JSON of Cohere's
        return
    with suppress(ProviderError):
        answered(written, EMBEDDINGS, {"input": "a", "encoding_format": form})
