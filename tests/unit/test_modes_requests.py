"""Bodies become requests, or errors that name the field and the right shape."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.errors import InvalidRequest
from nightmail.modes.asked import Grid, ModelRequest, OnePrompt, Terms
from nightmail.modes.requests import parse_chat, parse_embeddings, parse_many, parse_models
from nightmail.parameters import DESTINATIONS

HI = [{"role": "user", "content": "Hi"}]
HO = [{"role": "user", "content": "Ho"}]


def fastest(body: Any) -> Any:
    return parse_models(body, fastest=True)


def everybody(body: Any) -> Any:
    return parse_models(body, fastest=False)


MANY = {"model": "m", "messages": [HI, HO]}
MODELS = {"models": ["a", "b"], "messages": HI}
CHAT = {"model": "m", "messages": HI}
RACE = {"model": "a, b", "messages": HI, "fastest_response": True}
GRID = {"model": "a, b", "messages": [HI, HO]}
EMBEDDINGS = {"model": "m", "input": "text"}
Parse = Callable[[Any], Any]
EVERYWHERE: list[tuple[Parse, dict[str, Any]]] = [
    (parse_many, MANY),
    (fastest, MODELS),
    (everybody, MODELS),
    (parse_chat, CHAT),
    (parse_chat, RACE),
    (parse_chat, GRID),
    (parse_embeddings, EMBEDDINGS),
]


def refusal(parse: Parse, body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert caught.value.http_status == 400
    return caught.value


def chat(body: Any) -> Any:
    return parse_chat(body)


# Many prompts to one model


def test_many_prompts_are_lists_of_messages_or_objects_with_their_own_parameters() -> None:
    own = {"messages": HO, "custom_id": "mine", "temperature": 1}
    plain = {"messages": HO, "custom_id": None}
    many = parse_many({"model": "m", "messages": [HI, own, plain], "temperature": 0})
    assert [(item.custom_id, item.body) for item in many.items] == [
        ("request-1", {"model": "m", "temperature": 0, "messages": HI}),
        ("mine", {"model": "m", "temperature": 1, "messages": HO}),
        ("request-3", {"model": "m", "temperature": 0, "messages": HO}),
    ]


def test_what_is_ours_is_taken_out_and_the_rest_passes_through() -> None:
    many = parse_many(
        {
            **MANY,
            "max_concurrency": 7,
            "num_retries": 3,
            "fallbacks": ["b"],
            "timeout": 5,
            "stream": True,
            "stream_options": {"include_usage": True},
            "nightmail": {},
            "custom_llm_provider": "openai",
            "metadata": {"a": "b"},
            "no_such_parameter": 1,
        }
    )
    assert (many.max_concurrency, many.stream) == (7, True)
    assert many.terms == Terms(5, 3, ("b",))
    assert many.items[0].body == {
        "model": "m",
        "messages": HI,
        "metadata": {"a": "b"},
        "no_such_parameter": 1,
    }


def test_without_fields_of_ours_the_defaults_hold() -> None:
    many = parse_many(MANY)
    assert (many.max_concurrency, many.stream, many.terms) == (100, False, Terms())


def test_litellms_names_mean_the_same() -> None:
    many = parse_many({**MANY, "max_workers": 3, "request_timeout": 2.5})
    assert (many.max_concurrency, many.terms.timeout_seconds) == (3, 2.5)


def test_the_callers_body_stays_as_it_was() -> None:
    body = {**MANY, "messages": [{"messages": HI, "custom_id": "a"}], "timeout": 3}
    before = repr(body)
    parse_many(body)
    assert repr(body) == before


@pytest.mark.parametrize(
    ("messages", "param", "says"),
    [
        (HI, "messages", "list of lists"),
        ([], "messages", "empty"),
        ("Hi", "messages", "list of lists"),
        (None, "messages", "list of lists"),
        ({"role": "user"}, "messages", "list of lists"),
        ([HI, "Ho"], "messages[1]", "list of messages"),
        ([HI, []], "messages[1]", "empty"),
        ([HI, [HO]], "messages[1]", "list of lists"),
        ([HI, ["Ho"]], "messages[1][0]", "an object"),
        ([HI, [{"content": "Ho"}]], "messages[1][0].role", "Missing"),
        ([HI, {"messages": []}], "messages[1].messages", "empty"),
        ([HI, {"messages": "Ho"}], "messages[1].messages", "list of messages"),
        ([HI, {"messages": HO, "custom_id": 3}], "messages[1].custom_id", "a string"),
        ([HI, {"messages": HO, "custom_id": ""}], "messages[1].custom_id", "empty"),
        ([HI, {"messages": HO, "custom_id": "x" * 513}], "messages[1].custom_id", "too long"),
        ([HI, {"messages": HO, "custom_id": "request-1"}], "messages[1].custom_id", "of its own"),
        ([HI, {"messages": HO, "model": "b"}], "messages[1].model", "whole request"),
        ([HI, {"messages": HO, "stream": True}], "messages[1].stream", "whole request"),
        ([HI, {"messages": HO, "timeout": 3}], "messages[1].timeout", "whole request"),
        ([HI, {"messages": HO, "api_key": "sk"}], "messages[1].api_key", "config"),
        ([HI, {"messages": HO, "drop_params": 1}], "messages[1].drop_params", "a boolean"),
    ],
)
def test_a_wrong_prompt_is_named(messages: Any, param: str, says: str) -> None:
    error = refusal(parse_many, {"model": "m", "messages": messages})
    assert error.param == param
    assert says in error.message


def test_the_first_repeated_custom_id_is_the_one_that_is_named() -> None:
    own = [{"messages": HI, "custom_id": name} for name in ("a", "b", "a", "b")]
    error = refusal(parse_many, {"model": "m", "messages": own})
    assert error.param == "messages[2].custom_id"
    assert "'a'" in error.message


def test_a_list_of_models_belongs_elsewhere() -> None:
    assert refusal(parse_many, {**MANY, "model": ["a", "b"]}).param == "model"


# One prompt to many models


def test_each_model_is_asked_under_its_own_name() -> None:
    request = fastest({**MODELS, "temperature": 0, "hedge_after_ms": 250})
    assert request.fastest
    assert request.hedge_after_seconds == 0.25
    assert [(one.model, one.body) for one in request.requests()] == [
        ("a", {"model": "a", "messages": HI, "temperature": 0}),
        ("b", {"model": "b", "messages": HI, "temperature": 0}),
    ]


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a"], ["a", "a"]),
        (["a", "", " "], ["a"]),
        ([" a "], ["a"]),
        ("a, b,", ["a", "b"]),
        ("a", ["a"]),
    ],
)
def test_names_may_come_twice_and_empty_ones_are_ignored(models: Any, names: list[str]) -> None:
    assert fastest({**MODELS, "models": models}).models == names
    assert everybody({**MODELS, "models": models}).models == names


@pytest.mark.parametrize(
    ("models", "param"),
    [
        ([], "models"),
        ([""], "models"),
        ("", "models"),
        (",", "models"),
        (None, "models"),
        ({"a": 1}, "models"),
        (["a", 1], "models[1]"),
        (["a"] * 101, "models"),
    ],
)
def test_no_model_or_too_many_are_refused(models: Any, param: str) -> None:
    assert refusal(fastest, {**MODELS, "models": models}).param == param


def test_a_hedge_of_nothing_is_a_hedge() -> None:
    assert fastest({**MODELS, "hedge_after_ms": 0}).hedge_after_seconds == 0
    assert fastest(MODELS).hedge_after_seconds is None


def test_models_and_model_are_two_things() -> None:
    assert refusal(fastest, {**MODELS, "model": "a"}).param == "model"
    assert refusal(fastest, {"messages": HI, "model": "a"}).param == "models"


def test_a_hedge_belongs_to_a_race() -> None:
    assert refusal(everybody, {**MODELS, "hedge_after_ms": 1}).param == "hedge_after_ms"
    assert refusal(chat, {**CHAT, "hedge_after_ms": 1}).param == "hedge_after_ms"


@pytest.mark.parametrize("parse", [fastest, everybody])
def test_many_prompts_where_one_is_needed_are_refused_with_the_right_shape(parse: Parse) -> None:
    error = refusal(parse, {**MODELS, "messages": [HI, HO]})
    assert error.param == "messages"
    assert "list of lists" in error.message
    assert '[{"role": "user"' in error.message


def test_the_configs_fallbacks_are_for_one_model_and_those_of_the_body_for_all() -> None:
    assert parse_chat(CHAT).terms.fallbacks is None
    assert parse_chat({**CHAT, "fallbacks": []}).terms.fallbacks == ()
    assert fastest(MODELS).terms.fallbacks == ()
    assert fastest({**MODELS, "fallbacks": ["c"]}).terms.fallbacks == ("c",)
    assert parse_chat(GRID).terms.fallbacks == ()
    assert parse_chat({**GRID, "model": "a"}).terms.fallbacks is None


def test_litellms_form_of_fallbacks_names_them_for_each_model() -> None:
    fallbacks = ["x", {"m": ["y"], "n": ["z"]}, {"*": ["w"]}]
    assert parse_chat({**CHAT, "fallbacks": fallbacks}).terms.fallbacks == ("x", "y", "w")


# Chat


def test_one_model_is_one_request() -> None:
    assert parse_chat({**CHAT, "model": " m ", "seed": 1, "timeout": 3, "stream": True}) == (
        ModelRequest(
            "m", {"model": "m", "messages": HI, "seed": 1}, Terms(timeout_seconds=3), stream=True
        )
    )


def test_fastest_makes_a_race_of_several_models_and_changes_nothing_for_one() -> None:
    for race in (parse_chat(RACE), parse_chat({"model": ["a", "b"], "messages": HI}, fastest=True)):
        assert isinstance(race, OnePrompt)
        assert race.fastest
        assert race.models == ["a", "b"]
        assert "fastest_response" not in race.body
    assert parse_chat({**CHAT, "fastest_response": True}) == parse_chat(CHAT)


@pytest.mark.parametrize("model", ["a, b", ["a", "b"], "a, b,", ["a", "", "b"]])
def test_several_models_without_a_race_are_all_asked(model: Any) -> None:
    request = parse_chat({"model": model, "messages": HI})
    assert isinstance(request, OnePrompt)
    assert not request.fastest
    assert request.models == ["a", "b"]


@pytest.mark.parametrize("model", [["a"], "a,"])
def test_a_list_of_one_model_is_answered_by_a_list(model: Any) -> None:
    request = parse_chat({"model": model, "messages": HI})
    assert isinstance(request, OnePrompt)
    assert request.models == ["a"]


def test_many_prompts_to_many_models_are_a_grid() -> None:
    grid = parse_chat({**GRID, "max_concurrency": 3, "seed": 1})
    assert isinstance(grid, Grid)
    assert (grid.flat, grid.max_concurrency) == (False, 3)
    assert not any(one.stream for one in grid.requests())
    assert [(one.model, one.body["messages"], one.body["seed"]) for one in grid.requests()] == [
        ("a", HI, 1),
        ("b", HI, 1),
        ("a", HO, 1),
        ("b", HO, 1),
    ]
    assert grid.places() == [
        {"prompt": 0, "index": 0},
        {"prompt": 0, "index": 1},
        {"prompt": 1, "index": 0},
        {"prompt": 1, "index": 1},
    ]


def test_a_grid_is_as_large_as_prompts_times_models() -> None:
    body = {"model": "a, b", "messages": [HI] * 5000}
    assert len(chat(body).requests()) == 10_000
    error = refusal(chat, {**body, "messages": [HI] * 5001})
    assert error.param == "messages"
    assert "batch API" in error.message


def test_many_prompts_to_one_model_are_one_list() -> None:
    grid = parse_chat({"model": "m", "messages": [HI, HO]})
    assert isinstance(grid, Grid)
    assert grid.flat
    assert [one.model for one in grid.requests()] == ["m", "m"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"messages": [HI, HO[0]]}, "messages[1]"),
        ({"messages": [HI, []]}, "messages[1]"),
        ({"messages": [HI, [HO]]}, "messages[1]"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"model": "a, b", "messages": [HI, HO], "fastest_response": True}, "fastest_response"),
        ({"messages": [HI] * 10_001}, "messages"),
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 513}, "model"),
        ({"model": []}, "model"),
        ({"model": ["a", 3]}, "model[1]"),
        ({"fastest_response": "yes"}, "fastest_response"),
        ({"max_concurrency": 5}, "max_concurrency"),
        ({"models": ["a"]}, "models"),
    ],
)
def test_a_wrong_field_of_a_chat_is_named(changes: dict[str, Any], param: str) -> None:
    assert refusal(chat, {**CHAT, **changes}).param == param


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_of_a_chat_is_named(missing: str) -> None:
    body = {name: value for name, value in CHAT.items() if name != missing}
    error = refusal(chat, body)
    assert (error.param, error.code) == (missing, "missing_required_parameter")


# Embeddings


def test_embeddings_pass_through() -> None:
    request = parse_embeddings({**EMBEDDINGS, "dimensions": 8, "num_retries": 0})
    assert not request.stream
    assert request == ModelRequest(
        "m",
        {"model": "m", "input": "text", "dimensions": 8},
        Terms(num_retries=0),
        "/v1/embeddings",
    )


@pytest.mark.parametrize("nothing", ["", [], None])
def test_nothing_to_embed_is_refused(nothing: Any) -> None:
    assert refusal(parse_embeddings, {"model": "m", "input": nothing}).param == "input"
    assert refusal(parse_embeddings, {"model": "m"}).param == "input"


# What holds everywhere


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
@pytest.mark.parametrize(("parse", "body"), EVERYWHERE)
def test_nobody_chooses_where_keys_go(parse: Parse, body: dict[str, Any], name: str) -> None:
    error = refusal(parse, {**body, name: "https://example.com"})
    assert error.param == name
    assert "example.com" not in error.message
    parse({**body, name: None})


@pytest.mark.parametrize(("parse", "body"), EVERYWHERE)
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"num_retries": -1}, "num_retries"),
        ({"num_retries": 101}, "num_retries"),
        ({"num_retries": True}, "num_retries"),
        ({"num_retries": 1.5}, "num_retries"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "9"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"request_timeout": -1}, "request_timeout"),
        ({"fallbacks": "b"}, "fallbacks"),
        ({"fallbacks": [3]}, "fallbacks[0]"),
        ({"nightmail": {"no_such": 1}}, "nightmail.no_such"),
        ({"nightmail": 3}, "nightmail"),
        ({"drop_params": "yes"}, "drop_params"),
        ({"drop_params": 1}, "drop_params"),
    ],
)
def test_a_wrong_value_of_ours_is_named(
    parse: Parse, body: dict[str, Any], changes: dict[str, Any], param: str
) -> None:
    assert refusal(parse, {**body, **changes}).param == param


@pytest.mark.parametrize("drops", [True, False, None])
def test_drop_params_stays_for_the_adapters(drops: bool | None) -> None:
    assert chat({**CHAT, "drop_params": drops}).body["drop_params"] is drops


@pytest.mark.parametrize("fallbacks", [[{"m": "b"}], [{"m": [3]}], [{"m": None}]])
def test_fallbacks_in_a_wrong_form_are_refused(fallbacks: Any) -> None:
    error = refusal(chat, {**CHAT, "fallbacks": fallbacks})
    assert (error.param, error.code) == ("fallbacks[0].m", "invalid_value")


@pytest.mark.parametrize(("parse", "body"), EVERYWHERE[:-1])
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_value_about_streams_is_named(
    parse: Parse, body: dict[str, Any], changes: dict[str, Any], param: str
) -> None:
    assert refusal(parse, {**body, **changes}).param == param


@pytest.mark.parametrize(
    ("parse", "body", "name"),
    [
        (parse_many, MANY, "max_concurrency"),
        (parse_many, MANY, "max_workers"),
        (parse_chat, GRID, "max_concurrency"),
    ],
)
@pytest.mark.parametrize("value", [0, 1001, "5", True, []])
def test_a_wrong_concurrency_is_named(
    parse: Parse, body: dict[str, Any], name: str, value: Any
) -> None:
    assert refusal(parse, {**body, name: value}).param == name


@pytest.mark.parametrize("value", [-1, 600_001, "5", True])
def test_a_wrong_hedge_is_named(value: Any) -> None:
    assert refusal(fastest, {**MODELS, "hedge_after_ms": value}).param == "hedge_after_ms"


@pytest.mark.parametrize(("parse", "body"), EVERYWHERE)
def test_fields_of_ours_that_are_null_say_nothing(parse: Parse, body: dict[str, Any]) -> None:
    nulls = ["num_retries", "timeout", "request_timeout", "fallbacks", "nightmail", "max_workers"]
    nulls += ["max_concurrency", "hedge_after_ms", "custom_llm_provider", "api_key"]
    nulls += ["stream", "stream_options"] if parse is not parse_embeddings else []
    assert parse({**dict.fromkeys(nulls), **body}) == parse(body)


@pytest.mark.parametrize(("parse", "_body"), EVERYWHERE)
@pytest.mark.parametrize("body", [None, [], "text", 3, True])
def test_a_body_is_an_object(parse: Parse, _body: Any, body: Any) -> None:
    assert "JSON object" in refusal(parse, body).message


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
FIELDS = st.sampled_from(
    ["model", "models", "messages", "custom_id", "role", "content", "stream", "stream_options",
     "include_usage", "fallbacks", "timeout", "num_retries", "hedge_after_ms", "max_concurrency",
     "fastest_response", "nightmail", "api_key", "input", "m"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS | st.just(HI) | st.just("m"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=20,
)


@given(
    parse=st.sampled_from([parse_many, fastest, everybody, chat, parse_embeddings]),
    body=JSON
    | st.fixed_dictionaries({"model": JSON, "messages": JSON})
    | st.fixed_dictionaries(
        {"model": st.just("m"), "models": st.just(["a"]), "messages": st.lists(JSON, max_size=3)},
        optional={"fallbacks": JSON, "timeout": JSON, "stream_options": JSON, "nightmail": JSON},
    ),
)
def test_any_json_is_a_request_or_an_error_of_the_callers(parse: Parse, body: Any) -> None:
    before = repr(body)
    with suppress(InvalidRequest):
        assert parse(body).terms
    assert repr(body) == before
