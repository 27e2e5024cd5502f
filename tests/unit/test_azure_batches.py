"""What of Azure's batches no other provider's batches share: versions with a date, and their words."""

from __future__ import annotations

from time import time
from typing import Any

import httpx
import pytest
from nightmail.endpoints import RESPONSES
from nightmail.errors import ProviderError, ProviderRejected
from nightmail.outcome import Kind
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, ShardInput
from nightmail.providers.registry import open_provider

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY, PUBLIC_MODEL
from tests.unit.native.azure_samples import AZURE
from tests.unit.native.cases import BEGINNING, TAG, a_line_id, as_jsonl, intent, number_of, read

DATED = "2024-10-21"


def at(simulator: SimulatorClient, version: str | None = DATED) -> BatchProvider:
    base = simulator.base_of("azure")
    return open_provider(AZURE.deployment(api_base=base, api_version=version), KEY)


def shard(version: str | None = DATED) -> ShardInput:
    form = AZURE.format(api_version=version)
    question = AZURE.line(1, {"messages": [{"role": "user", "content": "Hi"}]})
    lines = [form.to_line(question, a_line_id(number)) for number in (1, 2, 3)]
    return ShardInput(lambda: lines, sum(map(len, lines)), len(lines))


def submit(provider: BatchProvider, version: str | None = DATED) -> str:
    content = shard(version)
    return provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)


@pytest.fixture(params=[None, DATED])
def version(request: pytest.FixtureRequest) -> str | None:
    """Without one it is the surface without versions."""
    return str(request.param) if request.param else None


def test_a_batch_lives_its_whole_life_on_either_surface(
    simulator: SimulatorClient, version: str | None
) -> None:
    provider = at(simulator, version)
    identity = submit(provider, version)
    simulator.until_final(identity)
    ended = provider.poll(identity)
    assert (ended.ending, ended.completed, ended.failed) == (Ending.COMPLETED, 3, 0)
    found = list(provider.results(ended.output_ids, PUBLIC_MODEL, BEGINNING, number_of))
    outcomes = [result.outcome for result in found]
    assert sorted(one.number for one in outcomes if one) == [1, 2, 3]
    assert {one.kind for one in outcomes if one} == {Kind.ANSWERED}
    expected = f"api-version={version}" if version else ""
    told = {(call["provider"], call["query"]) for call in simulator.calls()}
    assert told == {("azure", expected)}


def test_lines_name_their_endpoint_as_the_surface_does(version: str | None) -> None:
    chat = AZURE.sent({"messages": []}, api_version=version)
    responses = AZURE.sent({"input": "Hi"}, RESPONSES, api_version=version)
    assert chat["url"] == ("/chat/completions" if version else CHAT)
    assert responses["url"] == RESPONSES


def test_a_batch_names_its_endpoint_as_its_lines_do(
    simulator: SimulatorClient, version: str | None
) -> None:
    """The service fails one whose lines are of the other surface."""
    other = None if version else DATED
    provider = at(simulator, version)
    identity = submit(provider, other)
    simulator.until_final(identity)
    ended = provider.poll(identity)
    assert ended.ending is Ending.FAILED
    code = "url_mismatch" if version else "invalid_url"
    assert {error.code for error in ended.errors} == {code}


def test_the_words_of_a_dated_version_are_understood(simulator: SimulatorClient) -> None:
    provider = at(simulator)
    simulator.behave({"kind": "stuck_batch"})
    identity = submit(provider)
    simulator.until_settled()
    running = provider.poll(identity)
    assert (running.status, running.completed, running.failed) == ("In_Progress", 0, 0)
    provider.cancel(identity)
    simulator.until_final(identity)
    assert (provider.poll(identity).status, provider.poll(identity).ending) == (
        "Cancelled",
        Ending.CANCELLED,
    )


def test_what_a_dated_version_started_without_an_answer_is_found(
    simulator: SimulatorClient, version: str | None
) -> None:
    provider = at(simulator, version)
    identity = submit(provider, version)
    assert provider.find(intent(since=round(time()))) == [identity]
    assert provider.find(intent(since=round(time()) + 3600)) == []


def test_a_batch_without_metadata_is_known_by_its_file() -> None:
    batch = {"id": "batch-1", "created_at": None, "input_file_id": "file-7", "metadata": None}
    provider, _ = AZURE.scripted(httpx.Response(200, json={"data": [batch], "has_more": False}))
    assert provider.find(intent(prepared="file-7")) == ["batch-1"]


def test_input_files_expire_where_the_surface_lets_them(simulator: SimulatorClient) -> None:
    provider = at(simulator, None)
    provider.prepare(AZURE.shard_input(), TAG)
    base = f"{simulator.base_of('azure')}/openai/v1"
    files = httpx.get(f"{base}/files", headers={"api-key": KEY}, trust_env=False).json()["data"]
    assert [file["expires_at"] - file["created_at"] for file in files] == [14 * 24 * 3600]


def test_a_deployment_of_another_type_is_refused_in_the_services_words(
    simulator: SimulatorClient, version: str | None
) -> None:
    refusal = {
        "kind": "status",
        "status": 400,
        "code": "OperationNotSupported",
        "message": "This operation does not work with the deployment's type.",
        "match": {"method": "POST", "path": "/batches"},
    }
    simulator.behave(refusal)
    with pytest.raises(
        ProviderRejected, match="does not work with the deployment's type"
    ) as caught:
        submit(at(simulator, version), version)
    assert (caught.value.code, caught.value.http_status) == ("OperationNotSupported", 400)


def test_a_key_follows_no_result_to_another_server() -> None:
    elsewhere = httpx.Response(302, headers={"location": "https://blobs.example/out"})
    provider, script = AZURE.scripted(elsewhere)
    with pytest.raises(ProviderError):
        read(provider)
    assert [request.url.host for request in script.requests] == ["provider.example"]


def test_a_line_that_a_filter_refused_keeps_its_reasons() -> None:
    inner: dict[str, Any] = {"code": "ResponsibleAIPolicyViolation"}
    error = {"code": "content_filter", "message": "It was filtered.", "innererror": inner}
    response = {"status_code": 400, "body": {"error": error}}
    line = {"custom_id": a_line_id(2), "response": response, "error": None}
    provider, _ = AZURE.scripted(httpx.Response(200, content=as_jsonl([line])))
    (result,) = read(provider)
    assert result.outcome
    assert result.outcome.response
    told = result.outcome.response["body"]["error"]
    assert told == {**error, "type": None, "param": None}
