"""What is particular to servers that speak OpenAI's protocol: where they are, and their accents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.endpoints import COMPLETIONS, MODERATIONS, RESPONSES
from nightmail.errors import (
    InvalidRequest,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.providers.direct import HttpAnswer
from nightmail.providers.openai_protocol.batches import OpenAIBatches
from nightmail.providers.openai_protocol.direct import OpenAIDirect
from nightmail.providers.registry import (
    has_direct_lane,
    has_native_lane,
    open_direct,
    open_provider,
)
from nightmail.usage import usage_of

from tests.unit.adapters.cases import CHAT, EMBEDDINGS, QUESTION

Json = dict[str, Any]
KEY = "a-key-like-nothing"


def deployment(provider: str = "openai", **fields: Any) -> Deployment:
    return Deployment(**{"name": "public", "provider": provider, "model": "own", **fields})


def adapter(provider: str = "openai", **fields: Any) -> OpenAIDirect:
    opened = open_direct(deployment(provider, **fields), KEY)
    assert isinstance(opened, OpenAIDirect)
    return opened


def sent(provider: str = "openai", endpoint: str = CHAT, /, **body: Any) -> Json:
    request = adapter(provider).request(endpoint, {"model": "any", **body})
    written: Json = json.loads(request.content)
    return written


def answered(body: Any, endpoint: str = CHAT, provider: str = "openai", **request: Any) -> Json:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return adapter(provider).answer(endpoint, request, HttpAnswer(200, {}, content))


def chat(message: Json, **choice: Any) -> Json:
    first = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "model": "dated", "choices": [first | choice]}


def chunks(*events: Any, wants_usage: bool = False, ended: bool = True) -> list[Json]:
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    reader = adapter().reader(options)
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    found = reader.feed(data + (b"data: [DONE]\n\n" if ended else b""))
    return found + reader.close()


# ---- Where they are


@pytest.mark.parametrize(
    ("provider", "base", "url"),
    [
        ("openai", None, "https://api.openai.com/v1/chat/completions"),
        ("openai", "http://host:1/x/", "http://host:1/x/chat/completions"),
        ("openai", "http://host:1", "http://host:1/chat/completions"),
        ("groq", None, "https://api.groq.com/openai/v1/chat/completions"),
        ("deepseek", None, "https://api.deepseek.com/chat/completions"),
        ("ollama", None, "http://localhost:11434/v1/chat/completions"),
        ("ollama", "http://host:11434", "http://host:11434/v1/chat/completions"),
        ("hosted_vllm", "http://host:8000/", "http://host:8000/v1/chat/completions"),
        ("hosted_vllm", "http://host/v1", "http://host/v1/chat/completions"),
        ("hosted_vllm", "http://host/behind/a/path", "http://host/behind/a/path/chat/completions"),
    ],
)
def test_a_request_goes_to_the_servers_own_place(provider: str, base: str | None, url: str) -> None:
    request = adapter(provider, api_base=base).request(CHAT, {"messages": QUESTION})
    assert request.url == url


@pytest.mark.parametrize("provider", ["hosted_vllm", "vllm", "openai_like", "custom_openai"])
def test_a_server_of_nobodys_needs_an_api_base(provider: str) -> None:
    with pytest.raises(InvalidRequest, match="api_base"):
        adapter(provider)


def test_the_key_and_the_organization_are_in_the_headers() -> None:
    request = adapter(organization="org-1").request(CHAT, {"messages": QUESTION})
    assert request.headers == {
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
        "openai-organization": "org-1",
    }


@pytest.mark.of("ollama")
def test_a_server_without_a_key_gets_none() -> None:
    local = open_direct(deployment("ollama"), None)
    assert "authorization" not in local.request(CHAT, {"messages": QUESTION}).headers


@pytest.mark.of("fireworks_ai")
@pytest.mark.parametrize(
    ("model", "sent_as"),
    [
        ("llama-v3", "accounts/fireworks/models/llama-v3"),
        ("accounts/me/models/mine", "accounts/me/models/mine"),
    ],
)
def test_fireworks_models_get_the_account_that_they_are_known_by(model: str, sent_as: str) -> None:
    request = adapter("fireworks_ai", model=model).request(CHAT, {"messages": QUESTION})
    assert json.loads(request.content)["model"] == sent_as


# ---- Endpoints


@pytest.mark.of("mistral", "deepseek")
def test_openai_has_all_endpoints_and_others_their_own() -> None:
    assert adapter().endpoints == {CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES, MODERATIONS}
    assert adapter("mistral").endpoints == {CHAT, EMBEDDINGS}
    with pytest.raises(InvalidRequest, match="has it for /v1/chat/completions") as caught:
        adapter("deepseek").request(EMBEDDINGS, {"input": "x"})
    assert caught.value.code == "unsupported_endpoint"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (COMPLETIONS, {"object": "text_completion", "choices": [{"text": "x"}]}),
        (MODERATIONS, {"id": "modr-1", "results": [{"flagged": False}]}),
        (RESPONSES, {"object": "response", "status": "completed", "error": None, "output": []}),
        (RESPONSES, {"object": "response", "error": {"code": "server_error"}, "output": []}),
    ],
)
def test_other_answers_pass_under_the_public_name(endpoint: str, body: Json) -> None:
    details = {"provider": "openai", "model": "dated"}
    expected = {**body, "model": "public", "nightmail": details}
    assert answered({**body, "model": "dated"}, endpoint) == expected


@pytest.mark.parametrize("endpoint", [CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS, RESPONSES])
@pytest.mark.parametrize("body", [{"model": "x"}, {"choices": 1, "data": 1, "results": 1}])
def test_an_answer_to_something_else_is_garbled(endpoint: str, body: Json) -> None:
    with pytest.raises(ProviderGarbled, match="openai answered 200 with no "):
        answered(body, endpoint)


def test_defaults_go_to_the_endpoints_that_have_them() -> None:
    defaults = {"temperature": 0.5, "dimensions": 8, "reasoning_effort": "low"}
    mine = adapter(defaults=defaults)
    sent_to = {
        endpoint: json.loads(mine.request(endpoint, {}).content).keys() - {"model"}
        for endpoint in (CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES, MODERATIONS)
    }
    assert sent_to == {
        CHAT: {"temperature", "reasoning_effort"},
        EMBEDDINGS: {"dimensions"},
        COMPLETIONS: {"temperature"},
        RESPONSES: {"temperature"},
        MODERATIONS: set(),
    }


# ---- Requests


@pytest.mark.parametrize(
    ("provider", "asked", "written"),
    [
        ("openai", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ("mistral", {"max_completion_tokens": 5, "seed": 7}, {"max_tokens": 5, "random_seed": 7}),
        ("deepseek", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("groq", {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ("openai", {"stop": "x"}, {"stop": "x"}),
        ("together_ai", {"stop": "x"}, {"stop": ["x"]}),
        ("mistral", {"n": 1, "logprobs": False, "tool_choice": "auto"}, {"tool_choice": "auto", "n": 1}),
        ("groq", {"n": 1}, {}),
        ("hosted_vllm", {"guided_json": {"a": 1}, "top_k": 3}, {"guided_json": {"a": 1}, "top_k": 3}),
    ],
)  # fmt: skip
def test_parameters_have_the_servers_names(provider: str, asked: Json, written: Json) -> None:
    body = {"messages": QUESTION, **asked}
    base = {"api_base": "http://host/v1"} if provider == "hosted_vllm" else {}
    request = json.loads(adapter(provider, **base).request(CHAT, body).content)
    assert request == {"model": "own", "messages": QUESTION, **written}


TOLD = {
    "role": "developer",
    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
}
CACHED = {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"x": 1}}]}


@pytest.mark.of("groq")
def test_openai_gets_messages_as_they_are_and_others_the_plainest() -> None:
    messages = [TOLD, CACHED, *QUESTION]
    assert sent(messages=messages)["messages"] == messages
    plain = [{"role": "system", "content": "a\nb"}, CACHED, *QUESTION]
    assert sent("groq", messages=messages)["messages"] == plain


@pytest.mark.of("mistral")
def test_a_tool_without_parameters_gets_some_where_they_are_required() -> None:
    tools = [{"type": "function", "function": {"name": "now"}}]
    assert sent(messages=QUESTION, tools=tools)["tools"] == tools
    (tool,) = sent("mistral", messages=QUESTION, tools=tools)["tools"]
    assert tool["function"]["parameters"] == {"type": "object", "properties": {}}
    assert tools == [{"type": "function", "function": {"name": "now"}}]


@pytest.mark.of("mistral")
@pytest.mark.parametrize("wrong", [7, "x", {}, [1], [None], [{"role": 1, "content": [1]}], [[]]])
def test_wrong_shapes_are_the_servers_to_refuse(wrong: Any) -> None:
    written = sent("mistral", messages=wrong, tools=wrong, stop=wrong)
    assert written["messages"] == wrong


@pytest.mark.of("groq", "mistral")
def test_stream_options_go_only_to_servers_that_have_them() -> None:
    body = {"messages": QUESTION, "stream_options": {"include_usage": True}}
    for provider, has in {"openai": True, "groq": False, "mistral": False}.items():
        request = json.loads(adapter(provider).request(CHAT, body, stream=True).content)
        assert ("stream_options" in request) is has


@pytest.mark.of("together_ai")
def test_together_is_not_asked_for_base64() -> None:
    asked = {"input": ["x"], "encoding_format": "base64"}
    assert sent("together_ai", EMBEDDINGS, **asked) == {"model": "own", "input": ["x"]}
    assert sent("openai", EMBEDDINGS, **asked)["encoding_format"] == "base64"


# ---- Answers


def test_what_servers_add_is_kept() -> None:
    body = answered({**chat({"content": "x", "extra": 1}), "x_groq": {"id": "r"}})
    assert body["x_groq"] == {"id": "r"}
    assert body["choices"][0]["message"]["extra"] == 1


def test_reasoning_has_one_name() -> None:
    (choice,) = answered(chat({"content": "x", "reasoning": "Hm."}))["choices"]
    assert choice["message"]["reasoning_content"] == "Hm."


def test_an_answer_in_parts_becomes_a_text_and_its_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    (choice,) = answered(chat({"content": [thinking, {"type": "text", "text": "Yes."}]}))["choices"]
    assert choice["message"]["content"] == "Yes."
    assert choice["message"]["reasoning_content"] == "Hm."


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_an_answer_that_was_broken_off_is_an_error(reason: str) -> None:
    with pytest.raises(ProviderUnavailable, match="broke off"):
        answered(chat({"content": "x"}, finish_reason=reason))
    with pytest.raises(ProviderUnavailable, match="broke off"):
        chunks({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


@pytest.mark.parametrize("choices", [[], [1], [{}], [{"message": "x"}]])
def test_choices_without_messages_are_garbled(choices: list[Any]) -> None:
    with pytest.raises(ProviderGarbled):
        answered({"choices": choices})


def test_numbers_that_are_no_json_are_let_go() -> None:
    content = json.dumps(chat({"content": "x"}, score=float("nan"))).encode()
    assert b"NaN" in content
    assert answered(content)["choices"][0]["score"] is None


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 9, "num_cached_tokens": 4}, (9, 4, 0, 0)),
        ({"prompt_tokens": 9, "cached_tokens": 4}, (9, 4, 0, 0)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}, (9, 4, 0, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, (9, 0, 0, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "total_tokens": 18,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            (9, 0, 9, 7),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 9,
                "total_tokens": 18,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            (9, 0, 9, 7),
        ),
        (None, (0, 0, 0, 0)),
        ("many", (0, 0, 0, 0)),
    ],
)
def test_tokens_are_counted_as_openai_counts_them(
    usage: Any, counted: tuple[int, int, int, int]
) -> None:
    found = usage_of(answered({**chat({"content": "x"}), "usage": usage}))
    tokens = (found.input_tokens, found.cached_tokens, found.output_tokens, found.reasoning_tokens)
    assert tokens == counted


@pytest.mark.parametrize("embedding", [None, {}, 7, [None], ["x"], [[1.0]], [1e300]])
def test_what_is_no_embedding_is_garbled(embedding: Any) -> None:
    body = {"data": [{"index": 0, "embedding": embedding}]}
    with pytest.raises(ProviderGarbled):
        answered(body, EMBEDDINGS, encoding_format="base64")


def test_embeddings_that_are_base64_already_stay() -> None:
    body = {"data": [{"index": 0, "embedding": "AACAPgAAAL8="}]}
    found = answered(body, EMBEDDINGS, encoding_format="base64")
    assert found["data"][0]["embedding"] == "AACAPgAAAL8="


# ---- Errors without a status of their own


@pytest.mark.parametrize(
    ("error", "leaf", "status"),
    [
        ({"message": "No.", "code": 429}, ProviderThrottled, 429),
        ({"message": "No.", "code": "503"}, ProviderUnavailable, 502),
        ({"message": "No.", "code": 400}, ProviderRejected, 400),
        ({"message": "No.", "code": 42}, ProviderUnavailable, 502),
        ({"message": "No.", "type": "rate_limit_exceeded"}, ProviderThrottled, 429),
        ({"message": "No.", "type": "requests", "code": "insufficient_quota"}, ProviderRejected, 429),
        ({"message": "No.", "type": "invalid_request_error"}, ProviderRejected, 400),
        ({"message": "No.", "code": "invalid_api_key"}, ProviderRejected, 502),
        ({"message": "No.", "type": "BadRequestError", "code": None}, ProviderRejected, 400),
        ({"message": "No.", "type": "server_error"}, ProviderUnavailable, 502),
        ("No.", ProviderUnavailable, 502),
        ({"message": "No.", "type": ["odd"], "code": {}}, ProviderUnavailable, 502),
    ],
)  # fmt: skip
def test_an_error_in_a_200_or_in_a_stream_is_the_leaf_that_it_would_have_been(
    error: Any, leaf: type[Exception], status: int
) -> None:
    for fail in (lambda: answered({"error": error}), lambda: chunks({"error": error})):
        with pytest.raises(leaf) as caught:
            fail()
        assert type(caught.value) is leaf
        assert getattr(caught.value, "http_status", None) == status
        assert str(caught.value) == "openai answered 200: No."


# ---- Streams


def piece(content: str, **more: Any) -> Json:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 5,
        "choices": [choice],
        **more,
    }


END = {"id": "c1", "created": 5, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def test_a_stream_may_end_without_done_where_it_said_how_it_ends() -> None:
    assert len(chunks(piece("a"), END, ended=False)) == 2
    with pytest.raises(ProviderGarbled, match="breaks off"):
        chunks(piece("a"), ended=False)


def test_nothing_is_read_behind_the_end() -> None:
    reader = adapter().reader({})
    assert reader.feed(b"data: [DONE]\n\ndata: {\n\n") == []
    assert reader.feed(b"data: {\n\n") == []


@pytest.mark.parametrize("ended", [True, False])
def test_usage_is_told_once_however_the_stream_ends(*, ended: bool) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    found = chunks(piece("a"), END, {"choices": [], "usage": usage}, wants_usage=True, ended=ended)
    assert [chunk["usage"] for chunk in found] == [None, None, usage]


@pytest.mark.parametrize("choice", [{}, {"delta": None}])
def test_a_choice_without_a_delta_has_an_empty_one(choice: Json) -> None:
    (chunk,) = chunks({"choices": [{"index": 0, **choice, "finish_reason": "stop"}]}, ended=False)
    assert chunk["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def test_usage_that_grows_is_told_once() -> None:
    first, second = ({"prompt_tokens": 1, "completion_tokens": count} for count in (1, 2))
    *others, last = chunks(piece("a", usage=first), piece("b", usage=second), wants_usage=True)
    assert [chunk["usage"] for chunk in others] == [None, None]
    assert (last["usage"], last["choices"]) == (second, [])
    assert (last["id"], last["object"], last["created"]) == ("c1", "chat.completion.chunk", 5)


def test_deltas_of_several_choices_pass() -> None:
    choices = [
        {"index": index, "delta": {"content": "x"}, "finish_reason": None} for index in (0, 1)
    ]
    (chunk,) = chunks({"choices": choices})
    assert [choice["index"] for choice in chunk["choices"]] == [0, 1]


@pytest.mark.parametrize(
    "event", [{"choices": 7}, {"choices": [1]}, {"choices": [{"delta": 1}]}, [], "x", None]
)
def test_chunks_of_another_shape_are_garbled(event: Any) -> None:
    with pytest.raises(ProviderGarbled):
        chunks(event)


# ---- The registry


@pytest.mark.parametrize("provider", ["openai", "groq", "anthropic", "cohere", "cohere_chat"])
def test_every_provider_of_a_direct_lane_can_be_opened(provider: str) -> None:
    assert has_direct_lane(provider)
    assert open_direct(deployment(provider), KEY).name == provider


def test_the_native_lane_is_openais_and_is_named_as_its_provider() -> None:
    assert has_native_lane(deployment())
    assert isinstance(open_provider(deployment(), KEY), OpenAIBatches)


@pytest.mark.parametrize("provider", ["openai_like", "hosted_vllm"])
def test_a_compatible_server_has_batches_where_the_config_says_so(provider: str) -> None:
    base = "http://10.0.0.7:8000/v1"
    assert not has_native_lane(deployment(provider, api_base=base))
    told = deployment(provider, api_base=base, lane="native")
    assert has_native_lane(told)
    assert isinstance(open_provider(told, KEY), OpenAIBatches)


@pytest.mark.parametrize("opened", [open_direct, open_provider])
def test_a_provider_that_nobody_speaks_to_is_refused(opened: Any) -> None:
    assert not has_direct_lane("nobody")
    assert not has_native_lane(deployment("nobody"))
    with pytest.raises(InvalidRequest, match="nobody") as caught:
        opened(deployment("nobody"), KEY)
    assert caught.value.code == "unsupported_provider"
