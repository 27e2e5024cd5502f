"""What Bedrock alone has: signatures, Regions, InvokeModel's embeddings, exceptions as events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from nightmail.config.gateway import parse_config
from nightmail.deployment import Deployment
from nightmail.engine.call import Call
from nightmail.engine.engine import Engine
from nightmail.errors import (
    CredentialMissing,
    GatewayError,
    InvalidConfig,
    InvalidRequest,
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)
from nightmail.library.credentials import Credentials, KeyRing
from nightmail.providers.bedrock.provider import BedrockProvider
from nightmail.providers.direct import HttpAnswer, HttpRequest, JsonObject
from nightmail.providers.registry import open_direct

from local.simulator.bedrock.event_stream import exception
from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, EMBEDDINGS, QUESTION, TEXT
from tests.unit.bedrock_events import said, start
from tests.unit.simulated_calls import answer, call_to, stream

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:eu-north-1:123456789012:inference-profile/us.anthropic.claude-v2:0"
ASKED = {"messages": QUESTION}
TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-multilingual-v3"


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def deployment(model: str = MODEL, **more: Any) -> Deployment:
    fields = {"aws_region_name": "eu-west-1", **more}
    return Deployment(name="public", provider="bedrock", model=model, **fields)


def signed(**more: Any) -> Deployment:
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
    return deployment(**{**keys, **more})


def written(
    of: Deployment, body: dict[str, Any], endpoint: str = CHAT, key: str | None = None
) -> HttpRequest:
    return BedrockProvider(of, key).request(endpoint, body)


def sent(body: dict[str, Any], model: str = MODEL, endpoint: str = CHAT) -> JsonObject:
    content: JsonObject = json.loads(written(deployment(model), body, endpoint, "key").content)
    return content


def refusal(status: int, name: str, words: str = "It says why.") -> ProviderError:
    headers = {"x-amzn-errortype": f"{name}:http://internal.example/"}
    content = json.dumps({"message": words}).encode()
    with pytest.raises(ProviderError) as caught:
        BedrockProvider(deployment(), None).answer(
            CHAT, ASKED, HttpAnswer(status, headers, content)
        )
    return caught.value


def test_a_request_is_signed_when_it_goes_out() -> None:
    request = written(signed(aws_session_token="token"), ASKED)
    assert set(request.headers) == {"content-type"}
    assert request.sign
    headers = request.sign()
    assert headers["x-amz-security-token"] == "token"
    scope = headers["authorization"].split(", ")[0].split("/")
    assert scope[0] == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"
    assert scope[2:] == ["eu-west-1", "bedrock", "aws4_request"]
    assert "SignedHeaders=content-type;host;x-amz-date" in headers["authorization"]
    assert "secret" not in "".join(headers.values())


def test_a_signature_is_of_the_request_that_it_goes_with() -> None:
    signatures = set()
    for text in ("one", "two"):
        sign = written(signed(), {"messages": [{"role": "user", "content": text}]}).sign
        assert sign
        signatures.add(sign()["authorization"].rpartition("=")[2])
    assert len(signatures) == 2


def test_a_bedrock_key_needs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-environment")
    request = written(deployment(), ASKED)
    assert request.headers["authorization"] == "Bearer of-the-environment"
    assert request.sign is None


@pytest.mark.parametrize(
    "more",
    [
        {"api_base": "https://other.example"},
        {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"},
    ],
)
def test_the_environments_key_goes_to_bedrock_alone(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-environment")
    assert "authorization" not in written(deployment(**more), ASKED).headers


def test_without_credentials_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    sign = written(deployment(), ASKED).sign
    assert sign
    with pytest.raises(CredentialMissing, match="aws_access_key_id"):
        sign()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("aws_access_key_id", "aws_secret_access_key"),
        ("aws_secret_access_key", "aws_access_key_id"),
        ("aws_session_token", "aws_access_key_id"),
    ],
)
def test_half_a_credential_is_never_made_whole_by_this_process(
    monkeypatch: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    """Another account would pay."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-environment")
    sign = written(deployment(**{given: "half"}), ASKED).sign
    assert sign
    with pytest.raises(InvalidConfig, match=f"{missing} is missing"):
        sign()


def test_a_model_is_asked_in_its_region() -> None:
    host = "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert written(deployment(), ASKED).url == f"{host}/model/{MODEL}/converse"


def test_an_arn_names_its_region_and_keeps_its_slash() -> None:
    url = written(deployment(PROFILE, aws_region_name=None), ASKED).url
    arn = PROFILE.replace("/", "%2F")
    assert url == f"https://bedrock-runtime.eu-north-1.amazonaws.com/model/{arn}/converse"


@pytest.mark.parametrize("name", [f"us-west-2/{MODEL}", f"converse/us-gov-west-1/{MODEL}"])
def test_a_region_may_stand_before_the_model(name: str) -> None:
    region = name.removeprefix("converse/").partition("/")[0]
    host = f"https://bedrock-runtime.{region}.amazonaws.com"
    assert (
        written(deployment(name, aws_region_name=None), ASKED).url
        == f"{host}/model/{MODEL}/converse"
    )


def test_the_entrys_region_goes_before_that_in_the_name() -> None:
    url = written(deployment(f"us-west-2/{MODEL}"), ASKED).url
    assert url == f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{MODEL}/converse"


def test_without_a_region_it_says_what_to_give() -> None:
    with pytest.raises(InvalidConfig, match="aws_region_name"):
        BedrockProvider(deployment(aws_region_name=None), None)


def test_the_environment_may_name_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9/bedrock/")
    assert written(deployment(), ASKED).url == f"http://127.0.0.1:9/bedrock/model/{MODEL}/converse"


def test_litellms_word_for_converse_is_no_part_of_the_name() -> None:
    assert f"/model/{MODEL}/converse" in written(deployment(f"converse/{MODEL}"), ASKED).url


@pytest.mark.parametrize(
    ("status", "name", "leaf"),
    [
        (403, "AccessDeniedException", ProviderRejected),
        (404, "ResourceNotFoundException", ProviderRejected),
        (400, "ValidationException", ProviderRejected),
        (400, "ServiceQuotaExceededException", ProviderRejected),
        (400, "ThrottlingException", ProviderThrottled),
        (429, "ModelNotReadyException", ProviderThrottled),
        (408, "ModelTimeoutException", ProviderTimedOut),
        (424, "ModelErrorException", ProviderUnavailable),
    ],
)
def test_an_exception_is_a_leaf_with_its_name(
    status: int, name: str, leaf: type[ProviderError]
) -> None:
    error = refusal(status, name)
    assert (type(error), error.code, error.upstream_status) == (leaf, name, status)
    assert "It says why." in error.message


@pytest.mark.parametrize(
    ("name", "leaf"),
    [
        ("throttlingException", ProviderThrottled),
        ("modelStreamErrorException", ProviderUnavailable),
        ("validationException", ProviderRejected),
        ("somethingNewException", ProviderUnavailable),
    ],
)
def test_an_exception_in_mid_stream_comes_behind_what_was_said(
    name: str, leaf: type[ProviderError]
) -> None:
    reader = BedrockProvider(deployment(), None).reader(ASKED)
    chunks = reader.feed(start() + said(TEXT) + exception(name, "It broke."))
    assert chunks[-1]["choices"][0]["delta"]["content"] == TEXT
    with pytest.raises(leaf, match=r"It broke\."):
        reader.feed(b"")


def test_a_spoiled_byte_is_garbled_behind_what_was_said() -> None:
    reader = BedrockProvider(deployment(), None).reader(ASKED)
    spoiled = bytearray(said("more"))
    spoiled[-1] ^= 1
    assert reader.feed(start() + said(TEXT) + bytes(spoiled))
    with pytest.raises(ProviderGarbled):
        reader.close()


def test_forbidden_tools_are_told_only_where_they_were_used() -> None:
    tools = [{"type": "function", "function": {"name": "now"}}]
    assert "toolConfig" not in sent({**ASKED, "tools": tools, "tool_choice": "none"})
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": ""}}
    used = [
        *QUESTION,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "noon"},
    ]
    config = sent({"messages": used, "tools": tools, "tool_choice": "none"})["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["now"]


def test_thoughts_go_back_as_they_came() -> None:
    reasoning = {"reasoningText": {"text": "Well.", "signature": "s"}}
    blocks = [
        {"reasoningContent": reasoning},
        {"reasoningContent": {"redactedContent": "AAEC"}},
        {"text": TEXT},
    ]
    body = {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
    }
    whole = HttpAnswer(200, {}, json.dumps(body).encode())
    answered = BedrockProvider(deployment(), "key").answer(CHAT, ASKED, whole)
    message = answered["choices"][0]["message"]
    assert message["reasoning_content"] == "Well."
    turns = sent({"messages": [*QUESTION, message]})["messages"]
    assert turns[1]["content"] == blocks


@pytest.mark.parametrize(
    ("mark", "point"),
    [
        ({"type": "ephemeral"}, {"type": "default"}),
        ({"type": "ephemeral", "ttl": "1h"}, {"type": "default", "ttl": "1h"}),
        ({"type": "ephemeral", "ttl": "2y"}, {"type": "default"}),
        (True, {"type": "default"}),
    ],
)
def test_what_is_cached_is_marked_behind_it(mark: Any, point: JsonObject) -> None:
    part = {"type": "text", "text": TEXT, "cache_control": mark}
    (turn,) = sent({"messages": [{"role": "user", "content": [part]}]})["messages"]
    assert turn["content"] == [{"text": TEXT}, {"cachePoint": point}]


def test_what_was_cached_for_an_hour_is_told_apart() -> None:
    details = [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 10}, None]
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 40}
    body = {
        "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
        "stopReason": "end_turn",
        "usage": {**usage, "cacheDetails": details},
    }
    whole = HttpAnswer(200, {}, json.dumps(body).encode())
    told = BedrockProvider(deployment(), "key").answer(CHAT, ASKED, whole)["usage"]
    assert told["prompt_tokens_details"] == {
        "cached_tokens": 0,
        "cache_write_tokens": 40,
        "cache_write_1h_tokens": 30,
    }


def test_an_answer_that_the_model_spoiled_is_garbled() -> None:
    body = {"output": {"message": {"content": [{"text": "{"}]}}, "stopReason": "malformed_tool_use"}
    with pytest.raises(ProviderGarbled):
        BedrockProvider(deployment(), "key").answer(
            CHAT, ASKED, HttpAnswer(200, {}, json.dumps(body).encode())
        )


def test_titan_is_asked_for_one_text_after_the_other(simulator: SimulatorClient) -> None:
    one = sent({"input": ["one"], "dimensions": 256}, TITAN, EMBEDDINGS)
    assert one == {"inputText": "one", "dimensions": 256}

    given = {"input": ["one", "two words", "one"], "dimensions": 4}
    whole = answer(call_to(simulator, "bedrock", TITAN, given, EMBEDDINGS))
    alone = [
        answer(call_to(simulator, "bedrock", TITAN, {**given, "input": text}, EMBEDDINGS))
        for text in ("one", "two words")
    ]

    assert [row["index"] for row in whole["data"]] == [0, 1, 2]
    one_text, other = (each["data"][0]["embedding"] for each in alone)
    assert [row["embedding"] for row in whole["data"]] == [one_text, other, one_text]
    assert one_text != other
    assert whole["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert whole["model"] == "public"


def test_a_callers_headers_go_with_each_text(simulator: SimulatorClient) -> None:
    ring = KeyRing()
    key = ring.keep(Credentials("key", {"x-team": "search"}))
    of = deployment(TITAN, api_base=simulator.base_of("bedrock"), api_key=key)

    async def ask() -> JsonObject:
        async with Engine(ring.direct_of) as engine:
            return (await engine.call(Call([of], EMBEDDINGS, {"input": ["one", "two"]}))).body

    assert len(asyncio.run(ask())["data"]) == 2
    assert len(simulator.calls()) == 2


def test_of_several_texts_one_that_fails_fails_the_call(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "status", "status": 403, "match": {"text": "two"}})
    given = {"input": ["one", "two", "three"]}

    with pytest.raises(ProviderRejected):
        answer(call_to(simulator, "bedrock", TITAN, given, EMBEDDINGS))

    assert len(simulator.calls()) == 2


def test_too_many_texts_are_refused_before_one_is_sent(simulator: SimulatorClient) -> None:
    with pytest.raises(InvalidRequest, match="maximum length 96"):
        answer(call_to(simulator, "bedrock", TITAN, {"input": ["one"] * 97}, EMBEDDINGS))

    assert simulator.calls() == []


def test_cohere_takes_96_texts() -> None:
    told = sent({"input": ["one"] * 96, "input_type": "search_query"}, COHERE, EMBEDDINGS)
    assert (len(told["texts"]), told["input_type"]) == (96, "search_query")
    with pytest.raises(InvalidRequest):
        sent({"input": ["one"] * 97}, COHERE, EMBEDDINGS)


@pytest.mark.parametrize("given", [None, 7, [], [1, 2], [["a"]]])
def test_an_input_that_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest):
        sent({"input": given}, TITAN, EMBEDDINGS)


def test_coheres_tokens_are_counted_in_a_header() -> None:
    provider = BedrockProvider(deployment(COHERE), "key")
    headers = {"x-amzn-bedrock-input-token-count": "7"}
    body = {"input": ["a", "b"]}
    for vectors in ({"float": [[0.5], [1.0]]}, [[0.5], [1.0]]):
        content = json.dumps({"embeddings": vectors}).encode()
        read = provider.answer(EMBEDDINGS, body, HttpAnswer(200, headers, content))
        assert [row["embedding"] for row in read["data"]] == [[0.5], [1.0]]
        assert read["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@pytest.mark.parametrize("model", [MODEL, PROFILE])
def test_a_signed_request_arrives_with_its_signature(
    simulator: SimulatorClient, model: str
) -> None:
    """The simulator makes it again: no character of the path may change on the way."""
    of = signed(model=model, api_base=simulator.base_of("bedrock"))

    async def ask() -> JsonObject:
        async with Engine(lambda asked: open_direct(asked, None)) as engine:
            return (await engine.call(Call([of], CHAT, {"model": "public", **ASKED}))).body

    assert asyncio.run(ask())["choices"][0]["message"]["content"]


def test_a_signature_with_another_secret_is_refused(simulator: SimulatorClient) -> None:
    of = signed(api_base=simulator.base_of("bedrock"), aws_secret_access_key="another")

    async def ask() -> JsonObject:
        async with Engine(lambda asked: open_direct(asked, None)) as engine:
            return (await engine.call(Call([of], CHAT, {"model": "public", **ASKED}))).body

    with pytest.raises(ProviderRejected, match="signature we calculated does not match") as caught:
        asyncio.run(ask())
    assert caught.value.code == "InvalidSignatureException"


def test_a_stream_is_one_of_awss_own_kind(simulator: SimulatorClient) -> None:
    url = f"{simulator.base_of('bedrock')}/model/{MODEL}/converse-stream"
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    answered = httpx.post(url, json=body, headers={"authorization": "Bearer key"})
    assert answered.headers["content-type"] == "application/vnd.amazon.eventstream"


def test_the_config_speaks_of_credentials_by_references() -> None:
    config = parse_config("""
model_list:
- model_name: claude
  litellm_params:
    model: bedrock/anthropic.claude-v2
    aws_access_key_id: os.environ/ID
    aws_secret_access_key: written-out
    aws_region_name: eu-west-1
    aws_bedrock_runtime_endpoint: https://other.example
""")
    (found,) = config.deployments("claude")
    assert (found.provider, found.model) == ("bedrock", "anthropic.claude-v2")
    assert (found.api_base, found.aws_region_name) == ("https://other.example", "eu-west-1")
    assert found.aws_access_key_id == "os.environ/ID"
    assert "written-out" not in found.model_dump_json()
    assert config.key_written_as(str(found.aws_secret_access_key)) == "written-out"
    assert "os.environ/ID" in config.references()
    (warning,) = config.warnings
    assert "litellm_params.aws_secret_access_key" in warning


@pytest.mark.parametrize("model", [TITAN, COHERE])
def test_embeddings_of_the_simulator_are_read(simulator: SimulatorClient, model: str) -> None:
    call = call_to(simulator, "bedrock", model, {"input": "one"}, EMBEDDINGS)
    (row,) = answer(call)["data"]
    assert len(row["embedding"]) == 1024


def test_a_stream_that_breaks_tells_the_words_of_its_exception(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "broken_stream", "when": "last_token", "status": 503})
    with pytest.raises(GatewayError, match="not available"):
        stream(call_to(simulator, "bedrock", MODEL, ASKED))


def test_awss_own_client_reads_what_the_simulator_says(simulator: SimulatorClient) -> None:
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=simulator.base_of("bedrock"),
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(proxies={}),
    )
    asked: Any = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    whole = client.converse(**asked)["output"]["message"]["content"][0]["text"]
    events = list(client.converse_stream(**asked)["stream"])
    deltas = [
        event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event
    ]
    assert "".join(delta["text"] for delta in deltas) == whole
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0
