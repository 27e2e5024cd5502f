"""The functions that call models, straight from this process: what LiteLLM's do, without their faults."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
from typing import Any

import nightmail
import pytest
from nightmail import (
    ModelResponse,
    NightmailError,
    acompletion,
    aembedding,
    batch_completion,
    batch_completion_models,
    batch_completion_models_all_responses,
    completion,
    embedding,
)

from local.simulator.client import SimulatorClient

HI = [{"role": "user", "content": "Hi"}]
TOOL = {
    "name": "weather",
    "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
}


def prompts(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def said(answer: object) -> str:
    assert isinstance(answer, ModelResponse)
    return answer.choices[0].message.content or ""


# ---- many prompts


def test_the_answers_are_in_the_order_of_the_prompts(provider_keys: SimulatorClient) -> None:
    texts = [f"Prompt {number}!" for number in range(40)]

    answers = batch_completion("gpt-4o", prompts(*texts), max_workers=7)

    assert isinstance(answers, list)
    for text, answer in zip(texts, answers, strict=True):
        assert text in said(answer)
    assert provider_keys.totals("openai", "gpt-4o")["peak"] <= 7


def test_what_failed_is_an_exception_in_its_place(provider_keys: SimulatorClient) -> None:
    answers = batch_completion("gpt-4o", prompts("one", "[[fail:400]]", "three"))

    assert isinstance(answers, list)
    first, failed, last = answers
    assert isinstance(first, ModelResponse)
    assert isinstance(last, ModelResponse)
    assert isinstance(failed, nightmail.BadRequestError)
    assert (failed.status_code, failed.model, failed.llm_provider) == (400, "gpt-4o", "openai")


def test_the_first_exception_is_raised_where_that_is_wanted(
    provider_keys: SimulatorClient,
) -> None:
    with pytest.raises(nightmail.UnprocessableEntityError):
        batch_completion(
            "gpt-4o", prompts("one", "[[fail:422]]", "[[fail:400]]"), return_exceptions=False
        )


def test_a_prompt_may_have_parameters_of_its_own(provider_keys: SimulatorClient) -> None:
    answers = batch_completion(
        "gpt-4o",
        [
            HI,
            {"messages": HI, "tools": [{"type": "function", "function": TOOL}], "custom_id": "own"},
        ],
        temperature=0.5,
    )

    assert isinstance(answers, list)
    assert [answer["custom_id"] for answer in answers if isinstance(answer, dict)] == [
        "request-1",
        "own",
    ]


@pytest.mark.parametrize("messages", [HI, [], "Hi", [["Hi"]]])
def test_messages_of_another_shape_are_refused_by_name(
    provider_keys: SimulatorClient, messages: Any
) -> None:
    with pytest.raises(nightmail.BadRequestError, match="messages"):
        batch_completion("gpt-4o", messages)

    assert provider_keys.calls(path="/chat/completions") == []


def test_many_streams_are_read_one_after_another(provider_keys: SimulatorClient) -> None:
    texts = ["one", "[[fail:400]]", "three"]

    streams = batch_completion("gpt-4o", prompts(*texts), stream=True, max_workers=2)

    assert isinstance(streams, list)
    first, failed, last = streams
    assert isinstance(failed, nightmail.BadRequestError)
    for text, stream in (("one", first), ("three", last)):
        assert isinstance(stream, nightmail.Stream)
        assert text in "".join(chunk.choices[0].delta.content or "" for chunk in stream)


@pytest.mark.of("anthropic")
def test_litellms_parameters_may_be_given_by_their_place(provider_keys: SimulatorClient) -> None:
    by_place = batch_completion(
        *("claude-2", [[{"role": "user", "content": "[[tool]]"}]], [TOOL], "auto", 0.2, None, 1),
        *(None, None, 50, None, None, None, "somebody", "an-id", None, 30, 7),
    )
    asked = completion("gpt-4o", HI, None, 0.25, None, 2)

    assert isinstance(by_place, list)
    assert isinstance(by_place[0], ModelResponse)
    call = by_place[0].choices[0].message.function_call
    assert call
    assert call.name == "weather"
    assert len(asked.choices) == 2
    (refused,) = batch_completion("claude-2", [HI], None, None, None, None, 3)
    assert isinstance(refused, nightmail.BadRequestError)
    assert refused.param == "n"
    (stream,) = batch_completion("gpt-4o", [HI], None, None, None, None, None, True)
    assert isinstance(stream, nightmail.Stream)


def test_parameters_by_place_are_neither_too_many_nor_given_twice() -> None:
    with pytest.raises(TypeError, match="temperature"):
        batch_completion("gpt-4o", [HI], None, None, 0.2, temperature=0.3)
    with pytest.raises(TypeError, match="'n'"):
        completion("gpt-4o", HI, 30, 0.2, 1, 1, "one too many")


# ---- races


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("names", [["gpt-4o", "claude-2"], ["claude-2", "gpt-4o"]])
def test_a_race_does_not_wait_for_the_losers(
    provider_keys: SimulatorClient, names: list[str]
) -> None:
    provider_keys.behave({"kind": "hold", "match": {"model": "gpt-4o"}})

    answer = batch_completion_models(models=names, messages=HI)

    assert answer.model == "claude-2"
    assert provider_keys.until_calls("disconnected", 1)[0]["model"] == "gpt-4o"


@pytest.mark.of("anthropic")
def test_nobody_won_and_all_the_reasons_are_told(provider_keys: SimulatorClient) -> None:
    provider_keys.behave(
        {"kind": "status", "status": 400, "match": {"provider": "openai"}},
        {"kind": "status", "status": 401, "match": {"provider": "anthropic"}},
    )

    with pytest.raises(NightmailError) as caught:
        batch_completion_models(models=["gpt-4o", "claude-2"], messages=HI)

    assert [one["model"] for one in caught.value.models or ()] == ["gpt-4o", "claude-2"]
    assert caught.value.model == "gpt-4o, claude-2"


@pytest.mark.of("anthropic", "groq")
@pytest.mark.parametrize("stream", [False, True])
def test_a_race_tells_the_statuses_of_the_providers_themselves(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "")
    provider_keys.behave({"kind": "status", "status": 401})

    with pytest.raises(nightmail.AuthenticationError) as caught:
        batch_completion_models(
            models=["gpt-4o", "claude-2", "groq/llama-3"], messages=HI, stream=stream
        )

    assert caught.value.status_code == 401
    assert [one["status"] for one in caught.value.models or ()] == [401, 401, 401]
    assert "gpt-4o (401), claude-2 (401), groq/llama-3 (401)" in caught.value.message


@pytest.mark.of("anthropic")
def test_the_report_of_a_race_has_the_status_of_the_provider(
    provider_keys: SimulatorClient,
) -> None:
    provider_keys.behave({"kind": "status", "status": 401, "match": {"provider": "openai"}})

    answer = batch_completion_models(
        models=["gpt-4o", "claude-2"], messages=HI, hedge_after_ms=60_000
    )

    assert answer.nightmail.race[0]["status"] == 401


def test_a_race_of_deployments_keeps_their_keys_apart(provider_keys: SimulatorClient) -> None:
    """One without a key is asked without one, and the caller's dictionaries stay as they are."""
    base = provider_keys.base_url
    deployments: list[dict[str, Any]] = [
        {
            "model": "openai/gpt-4o",
            "api_key": "sk-key-of-the-first",
            "api_base": base,
            "timeout": 9.5,
            "weight": 2,
        },
        {"model": "openai/gpt-4o", "api_base": base},
        {"model": "openai/gpt-5-mini", "api_key": "sk-key-of-the-third", "api_base": base},
    ]
    given = copy.deepcopy(deployments)
    provider_keys.behave({"kind": "hold", "match": {"key": "third"}, "name": "third"})

    with pytest.raises(nightmail.AuthenticationError):
        batch_completion_models(deployments=[deployments[1]], messages=HI)
    answer = batch_completion_models(deployments=deployments, messages=HI)

    assert answer.model == "openai/gpt-4o"
    assert deployments == given
    keys = [call["key"] for call in provider_keys.calls(path="/chat/completions")]
    assert sorted(keys) == ["", "", "hird", "irst"]  # the log keeps the ends of keys


def test_a_list_of_models_races_those_of_the_name(provider_keys: SimulatorClient) -> None:
    base = provider_keys.base_url
    params = {"model": "openai/gpt-4o", "api_key": "sk-simulator-1234", "api_base": base}
    model_list = [
        {"model_name": "mine", "litellm_params": params},
        {"model_name": "another", "litellm_params": {**params, "model": "openai/gpt-5-mini"}},
    ]

    answer = completion(model="mine", messages=HI, model_list=model_list)

    assert answer.model == "openai/gpt-4o"
    assert [call["model"] for call in provider_keys.calls(path="/chat/completions")] == ["gpt-4o"]
    with pytest.raises(nightmail.NotFoundError, match="nobody"):
        completion(model="nobody", messages=HI, model_list=model_list)


def test_deployments_are_refused_where_they_would_be_ignored(
    provider_keys: SimulatorClient,
) -> None:
    deployments = [{"model": "openai/gpt-4o", "api_key": "sk-key"}]

    with pytest.raises(nightmail.BadRequestError, match="deployments"):
        batch_completion("gpt-4o", [HI], deployments=deployments)
    with pytest.raises(nightmail.BadRequestError) as caught:
        batch_completion_models(deployments=[{**deployments[0], "rpm": "many"}], messages=HI)
    assert "rpm" in (caught.value.models or [])[0]["message"]
    with pytest.raises(nightmail.BadRequestError, match=r"deployments\[1\]"):
        batch_completion_models(deployments=[*deployments, {"api_key": "k"}], messages=HI)


@pytest.mark.parametrize("given", [{"timeout": "soon"}, {"headers": {"x-number": 1}}])
def test_options_of_another_type_are_refused_by_name(
    provider_keys: SimulatorClient, given: dict[str, Any]
) -> None:
    with pytest.raises(nightmail.BadRequestError, match=next(iter(given))):
        completion("gpt-4o", HI, **given)


@pytest.mark.of("anthropic")
def test_a_key_is_not_given_to_models_of_several_providers(
    provider_keys: SimulatorClient,
) -> None:
    with pytest.raises(nightmail.BadRequestError, match="deployments"):
        batch_completion_models(models=["gpt-4o", "claude-2"], messages=HI, api_key="sk-one-key")

    assert provider_keys.calls(path="/messages") == []


@pytest.mark.of("anthropic")
def test_a_stream_race_is_won_by_the_first_token(provider_keys: SimulatorClient) -> None:
    provider_keys.behave(
        {"kind": "hold", "match": {"provider": "openai"}, "when": "first_token"},
    )

    stream = batch_completion_models(models=["gpt-4o", "claude-2"], messages=HI, stream=True)

    assert {chunk.model for chunk in stream} == {"claude-2"}


# ---- all answers


@pytest.mark.of("anthropic")
def test_all_answers_are_in_the_order_of_the_models(provider_keys: SimulatorClient) -> None:
    found = batch_completion_models_all_responses(
        models=["claude-2", "nobody", "gpt-4o", "gpt-4o"], messages=HI
    )

    assert [isinstance(answer, ModelResponse) for answer in found] == [True, False, True, True]
    failed = found[1]
    assert isinstance(failed, nightmail.NotFoundError)
    assert (failed.model, failed.code) == ("nobody", "model_not_found")


@pytest.mark.of("anthropic")
def test_all_streams_are_in_the_order_of_the_models(provider_keys: SimulatorClient) -> None:
    streams = batch_completion_models_all_responses(
        models=["claude-2", "nobody", "gpt-4o"], messages=HI, stream=True
    )

    first, failed, last = streams
    assert isinstance(failed, nightmail.NotFoundError)
    for model, stream in (("claude-2", first), ("gpt-4o", last)):
        assert isinstance(stream, nightmail.Stream)
        assert {chunk.model for chunk in stream} == {model}


# ---- one answer


@pytest.mark.of("anthropic")
def test_litellms_parameters_reach_the_model(provider_keys: SimulatorClient) -> None:
    answer = completion(
        model="claude-2",
        messages=[{"role": "user", "content": "[[tool]]"}],
        functions=[TOOL],
        function_call="auto",
        temperature=0.2,
        max_tokens=50,
        user="somebody",
        timeout=30,
        request_timeout=30,
        num_retries=1,
        stop=None,
        logger_fn=print,
        verbose=True,
        extra_body={"top_k": 7},
    )

    call = answer.choices[0].message.function_call
    assert call
    assert call.name == "weather"


def test_headers_and_a_key_of_the_call_go_with_it(provider_keys: SimulatorClient) -> None:
    completion("gpt-4o", HI, api_key="sk-key-of-the-call", extra_headers={"x-trace": "1"})

    assert provider_keys.calls(path="/chat/completions")[0]["key"].endswith("call")


def test_a_bare_name_needs_a_provider(provider_keys: SimulatorClient) -> None:
    with pytest.raises(nightmail.NotFoundError, match="custom_llm_provider"):
        completion("llama-9", HI)

    answer = completion("llama-9", HI, custom_llm_provider="openai")
    assert answer.model == "llama-9"


@pytest.mark.of("groq")
def test_a_missing_key_is_named(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "")

    with pytest.raises(nightmail.AuthenticationError, match="GROQ_API_KEY") as caught:
        completion("groq/llama-3", HI)

    assert caught.value.status_code == 401
    assert (caught.value.model, caught.value.llm_provider) == ("groq/llama-3", "groq")
    with pytest.raises(nightmail.AuthenticationError) as caught:
        completion("gpt-4o", HI, fallbacks=["groq/llama-3"])
    assert caught.value.llm_provider == "groq"


@pytest.mark.of("anthropic")
def test_a_refused_parameter_has_its_model_and_provider(provider_keys: SimulatorClient) -> None:
    given: dict[str, Any] = {"n": 3}
    with pytest.raises(nightmail.BadRequestError) as caught:
        completion("claude-2", HI, **given)
    with pytest.raises(nightmail.BadRequestError) as streamed:
        completion("claude-2", HI, stream=True, **given)
    found = batch_completion("claude-2", [HI], **given)
    assert isinstance(found, list)
    both = batch_completion_models_all_responses(["claude-2"], HI, **given)

    for failed in (caught.value, streamed.value, *found, *both):
        assert isinstance(failed, nightmail.BadRequestError)
        assert (failed.model, failed.llm_provider) == ("claude-2", "anthropic")


@pytest.mark.parametrize("model", [None, 5])
def test_a_model_that_is_no_name_is_refused(model: Any) -> None:
    for ask in (batch_completion, embedding):
        with pytest.raises(nightmail.BadRequestError, match="model"):
            ask(model, [HI])


def test_a_key_of_the_environment_does_not_go_to_a_server_of_the_call(
    provider_keys: SimulatorClient,
) -> None:
    with pytest.raises(nightmail.AuthenticationError):
        completion("gpt-4o", HI, api_base=provider_keys.base_url)

    assert provider_keys.calls(path="/chat/completions")[0]["key"] == ""


def test_several_models_in_one_name_are_refused() -> None:
    with pytest.raises(nightmail.BadRequestError, match="batch_completion_models"):
        completion("gpt-4o, claude-2", HI)
    with pytest.raises(nightmail.BadRequestError, match="batch_completion"):
        completion("gpt-4o", [HI, HI])


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("fallback", ["claude-2", {"model": "claude-2"}])
def test_a_fallback_answers_for_a_model_that_fails(
    provider_keys: SimulatorClient, fallback: object
) -> None:
    """With its own provider's key, and not with that of the call."""
    provider_keys.behave({"kind": "status", "status": 500, "match": {"provider": "openai"}})

    answer = completion("gpt-4o", HI, api_key="sk-of-openai", fallbacks=[fallback], num_retries=0)

    assert answer.model == "claude-2"
    keys = [call["key"] for call in provider_keys.calls(provider="anthropic")]
    assert keys == [os.environ["ANTHROPIC_API_KEY"][-4:]]


def test_what_cannot_be_json_is_refused(provider_keys: SimulatorClient) -> None:
    with pytest.raises(nightmail.BadRequestError, match="JSON"):
        completion("gpt-4o", HI, response_format=object())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, nightmail.BadRequestError),
        (401, nightmail.AuthenticationError),
        (403, nightmail.PermissionDeniedError),
        (404, nightmail.NotFoundError),
        (422, nightmail.UnprocessableEntityError),
        (429, nightmail.RateLimitError),
        (500, nightmail.InternalServerError),
        (503, nightmail.InternalServerError),
    ],
)
def test_exceptions_have_the_classes_of_openais_client(
    provider_keys: SimulatorClient, status: int, expected: type[NightmailError]
) -> None:
    with pytest.raises(expected) as caught:
        completion("gpt-4o", [{"role": "user", "content": f"[[fail:{status}]]"}], num_retries=0)

    assert type(caught.value) is expected
    assert caught.value.status_code == status
    assert (caught.value.model, caught.value.llm_provider) == ("gpt-4o", "openai")


def test_time_outs_and_refused_connections_have_classes_of_their_own(
    provider_keys: SimulatorClient,
) -> None:
    provider_keys.behave({"kind": "hold"})

    with pytest.raises(nightmail.APITimeoutError) as caught:
        completion("gpt-4o", HI, timeout=0.05, max_retries=0)
    assert isinstance(caught.value, nightmail.Timeout)

    with pytest.raises(nightmail.APIConnectionError):
        completion("openai/m", HI, api_base="http://127.0.0.1:9", api_key="k", max_retries=0)


def test_vectors(provider_keys: SimulatorClient) -> None:
    vectors = embedding("text-embedding-3-small", ["one", "two"], dimensions=8)
    again = asyncio.run(aembedding("text-embedding-3-small", ["one", "two"], dimensions=8))

    assert [len(one.embedding) for one in vectors.data] == [8, 8]
    assert again == vectors


# ---- streams


def test_a_stream_says_what_the_whole_answer_says(provider_keys: SimulatorClient) -> None:
    stream = completion("gpt-4o", HI, stream=True, stream_options={"include_usage": True})
    *chunks, last = stream

    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == said(completion("gpt-4o", HI))
    assert last.usage
    assert last.usage.total_tokens > 0


def test_closing_a_stream_closes_the_providers_connection(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "hold", "when": "last_token"})

    with completion("gpt-4o", HI, stream=True) as stream:
        next(stream)
        provider_keys.until_calls("held")

    provider_keys.until_calls("disconnected")


def test_letting_go_of_a_stream_closes_the_providers_connection(
    provider_keys: SimulatorClient,
) -> None:
    provider_keys.behave({"kind": "hold", "when": "last_token"})

    for _ in completion("gpt-4o", HI, stream=True):
        provider_keys.until_calls("held")
        break

    provider_keys.until_calls("disconnected")


def test_a_stream_that_breaks_raises_where_it_broke(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "broken_stream"})

    heard: list[str] = []
    with pytest.raises(NightmailError) as caught:
        heard.extend(
            chunk.choices[0].delta.content or ""
            for chunk in completion("gpt-4o", HI, stream=True)
            if chunk.choices
        )

    assert caught.value.llm_provider == "openai"


# ---- loops and threads


def test_functions_that_wait_work_in_a_running_loop(provider_keys: SimulatorClient) -> None:
    async def notebook() -> list[Any]:
        found = batch_completion("gpt-4o", prompts("one", "two"))
        assert isinstance(found, list)
        return found

    assert len(asyncio.run(notebook())) == 2


def test_connections_outlive_the_loops_of_their_callers(provider_keys: SimulatorClient) -> None:
    async def ask() -> str:
        answer = await acompletion("gpt-4o", HI)
        streamed = await acompletion("gpt-4o", HI, stream=True)
        text = [chunk.choices[0].delta.content or "" async for chunk in streamed]
        assert "".join(text) == said(answer)
        return said(answer)

    assert asyncio.run(ask()) == asyncio.run(ask())


def test_cancelling_a_call_closes_the_providers_connection(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "hold"})

    async def give_up() -> None:
        asking = asyncio.create_task(acompletion("gpt-4o", HI))
        await provider_keys.await_calls("held")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await provider_keys.await_calls("disconnected")

    asyncio.run(give_up())


def test_many_threads_ask_at_once(provider_keys: SimulatorClient) -> None:
    answers: list[str] = []

    def ask(number: int) -> None:
        text = f"Thread {number}!"
        answers.append(said(completion("gpt-4o", [{"role": "user", "content": text}])))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.split("“")[1].split("!")[0] for answer in answers) == sorted(
        f"Thread {number}" for number in range(12)
    )
