"""What Fireworks' jobs have that no other's have: datasets, ids of ours, and results elsewhere."""

from __future__ import annotations

import json

import httpx
import pytest
from nightmail.deployment import Deployment
from nightmail.errors import ProviderNotFound, ProviderUnavailable, ProviderUnclear
from nightmail.outcome import Kind
from nightmail.part import Ending
from nightmail.providers.base import Cursor
from nightmail.providers.fireworks.card import account_of
from nightmail.providers.registry import has_native_lane

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.native.cases import TAG, Told, a_line_id, as_jsonl, intent, numbers_of
from tests.unit.native.fireworks_samples import ACCOUNT, DATASET, FILES, FIREWORKS, signed_urls

OWN_ID = "batch-019aa5f0c1de7a3b9d5e8f4c2b6a1d30-2-1-0"
JOBS = f"/v1/{ACCOUNT}/batchInferenceJobs"
EXISTS = httpx.Response(409, json={"code": 6, "message": "already exists", "details": []})
MISSING = httpx.Response(404, json={"code": 5, "message": "resource not found", "details": []})


def told(**fields: object) -> httpx.Response:
    return httpx.Response(200, json=fields)


# ---- Whose they are


@pytest.mark.parametrize(
    ("fields", "account"),
    [
        ({"model": "glm-5"}, None),
        ({"model": "accounts/fireworks/models/glm-5"}, None),
        ({"model": "accounts/acme/models/tuned"}, "acme"),
        ({"model": "accounts/"}, None),
        ({"model": "glm-5", "organization": "acme"}, "acme"),
        ({"model": "accounts/other/models/tuned", "organization": "acme"}, "acme"),
    ],
)
def test_without_an_account_there_are_no_jobs(fields: dict[str, str], account: str | None) -> None:
    deployment = Deployment(name="any", provider="fireworks_ai", **fields)
    assert account_of(deployment) == account
    assert has_native_lane(deployment) is (account is not None)


# ---- Preparing


def test_a_dataset_is_made_and_uploaded_once() -> None:
    ready = told(state="READY")
    provider, script = FIREWORKS.scripted(told(), told(id="any"), EXISTS, ready)
    for _ in range(2):
        name = provider.prepare(FIREWORKS.shard_input(), TAG)
        assert name == f"{ACCOUNT}/datasets/{OWN_ID}"
    made, *_ = script.requests
    assert json.loads(made.content) == {
        "datasetId": OWN_ID,
        "dataset": {"userUploaded": {}, "exampleCount": "3"},
    }
    uploads = [each for each in script.requests if each.url.path.endswith(":upload")]
    assert len(uploads) == 1


def test_a_dataset_that_was_not_uploaded_is_uploaded_now() -> None:
    provider, script = FIREWORKS.scripted(EXISTS, told(state="UPLOADING"), told(id="any"))
    provider.prepare(FIREWORKS.shard_input(), TAG)
    assert script.requests[2].url.path.endswith(":upload")


def test_a_dataset_that_is_still_being_read_is_waited_for() -> None:
    provider, script = FIREWORKS.scripted(
        told(), told(id="any"), told(state="UPLOADING"), told(state="READY"), told(name="job")
    )
    content = FIREWORKS.shard_input()
    prepared = provider.prepare(content, TAG)
    with pytest.raises(ProviderUnavailable):
        provider.submit(prepared, content, CHAT, TAG)
    assert provider.submit(prepared, content, CHAT, TAG) == "job"
    uploads = [each for each in script.requests if each.url.path.endswith(":upload")]
    assert len(uploads) == 1


# ---- Submitting and finding


def test_a_job_has_our_id_and_the_model() -> None:
    started = told(name=f"{ACCOUNT}/batchInferenceJobs/{OWN_ID}")
    provider, script = FIREWORKS.scripted(*FIREWORKS.submitting(), started)
    provider.submit(f"{ACCOUNT}/datasets/in", FIREWORKS.shard_input(), CHAT, TAG)
    look, request = script.requests
    assert look.url.path == f"/v1/{ACCOUNT}/datasets/in"
    assert dict(request.url.params) == {"batchInferenceJobId": OWN_ID}
    assert json.loads(request.content) == {
        "model": "accounts/fireworks/models/own-model",
        "inputDatasetId": f"{ACCOUNT}/datasets/in",
    }


def test_a_job_that_is_there_already_is_found() -> None:
    job = FIREWORKS.batch(Told(identity=OWN_ID))
    answers = (EXISTS, httpx.Response(200, json=job))
    provider, script = FIREWORKS.scripted(*FIREWORKS.submitting(), *answers)
    with pytest.raises(ProviderUnclear):
        provider.submit("any", FIREWORKS.shard_input(), CHAT, TAG)
    assert provider.find(intent()) == [job["name"]]
    assert script.requests[2].url.path == f"{JOBS}/{OWN_ID}"


def test_a_job_that_is_hidden_is_found_in_the_list() -> None:
    jobs = [FIREWORKS.batch(Told(identity=name)) for name in ("other", OWN_ID)]
    provider, _ = FIREWORKS.scripted(MISSING, told(batchInferenceJobs=jobs, nextPageToken=""))
    assert provider.find(intent()) == [jobs[1]["name"]]


def test_without_a_list_nobody_knows_whether_there_is_a_job() -> None:
    provider, _ = FIREWORKS.scripted(MISSING, MISSING)
    with pytest.raises(ProviderNotFound):
        provider.find(intent())


# ---- Looking


def test_a_job_that_failed_says_why_and_has_no_results() -> None:
    status = {"code": "INVALID_ARGUMENT", "message": "Dataset has a syntax error."}
    job = {**FIREWORKS.batch(Told(ending=Ending.FAILED)), "status": status}
    provider, _ = FIREWORKS.scripted(httpx.Response(200, json=job))
    progress = provider.poll(job["name"])
    assert (progress.ending, progress.output_ids) == (Ending.FAILED, [])
    (error,) = progress.errors
    assert (error.code, error.message) == ("invalid_argument", "Dataset has a syntax error.")


def test_nothing_is_asked_to_stop() -> None:
    provider, script = FIREWORKS.scripted()
    provider.cancel("any")
    assert script.requests == []


# ---- Results


def test_the_key_does_not_go_where_results_lie() -> None:
    line = as_jsonl([FIREWORKS.answered(a_line_id(1), FIREWORKS.direct.plain)])
    urls = httpx.Response(200, json=signed_urls(*FILES))
    content = httpx.Response(206, content=line)
    provider, script = FIREWORKS.scripted(urls, content)
    results = provider.results([DATASET], "public", Cursor(1, 7), lambda _: 1)
    assert numbers_of(results) == [1]
    endpoint, download = script.requests
    assert endpoint.url.path == f"/v1/{DATASET}:getDownloadEndpoint"
    assert endpoint.headers["authorization"] == f"Bearer {KEY}"
    assert download.url.path == "/dataset/bij-1/error-data"
    assert download.headers["range"] == "bytes=7-"
    assert not any(KEY in value for value in download.headers.values())


def test_every_file_is_read_whatever_it_is_called_and_whatever_lies_in_it() -> None:
    answered = FIREWORKS.answered(a_line_id(1), FIREWORKS.direct.plain)
    refused = FIREWORKS.refused(a_line_id(2), 429, "Slow.")
    files = (as_jsonl([refused]), as_jsonl([answered]))
    urls = httpx.Response(200, json=signed_urls("part-0.jsonl", "part-1.jsonl"))
    contents = [httpx.Response(200, content=content) for content in files]
    provider, script = FIREWORKS.scripted(urls, *contents)
    found = [result.outcome for result in FIREWORKS.read(provider)]
    kinds = [(outcome.number, outcome.kind) for outcome in found if outcome]
    assert kinds == [(2, Kind.REFUSED), (1, Kind.ANSWERED)]
    assert len(script.requests) == 3


def test_a_dataset_without_files_has_no_results() -> None:
    provider, _ = FIREWORKS.scripted(told(filenameToSignedUrls={}))
    assert FIREWORKS.read(provider) == []


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": "RESOURCE_EXHAUSTED", "message": "Slow."}, Kind.REFUSED, 429),
        ({"code": 404, "message": "Slow."}, Kind.REFUSED, 404),
        ({"code": 7, "message": "Slow."}, Kind.FAILED, None),
        ("Slow.", Kind.FAILED, None),
    ],
)
def test_an_error_of_a_known_code_is_a_refusal(
    error: object, kind: Kind, status: int | None
) -> None:
    line = as_jsonl([{"custom_id": a_line_id(7), "error": error}])
    (result,) = FIREWORKS.read(FIREWORKS.serving(line))
    assert result.outcome
    assert result.outcome.kind is kind
    response = result.outcome.response or {}
    assert response.get("status_code") == status
    assert "Slow." in json.dumps(result.outcome.error or response)


# ---- The simulator


def test_the_simulator_takes_no_model_in_a_line(simulator: SimulatorClient) -> None:
    provider = FIREWORKS.opened(simulator.base_of("fireworks_ai"))
    content = FIREWORKS.shard_input(1)
    (line,) = content.read()
    named = line.replace(b'"body":{', b'"body":{"model":"any",')
    wrong = type(content)(lambda: [named], len(named), 1)
    identity = provider.submit(provider.prepare(wrong, TAG), wrong, CHAT, TAG)
    simulator.until_final(identity)
    progress = provider.poll(identity)
    assert progress.ending is Ending.FAILED
    assert "a model, which is the job's" in progress.errors[0].message


def test_the_simulator_refuses_a_key_where_results_lie(simulator: SimulatorClient) -> None:
    provider = FIREWORKS.opened(simulator.base_of("fireworks_ai"))
    content = FIREWORKS.shard_input(1)
    identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    simulator.until_final(identity)
    (dataset,) = provider.poll(identity).output_ids
    headers = {"authorization": f"Bearer {KEY}"}
    endpoint = f"{simulator.base_of('fireworks_ai')}/{dataset}:getDownloadEndpoint"
    urls = httpx.get(endpoint, headers=headers, trust_env=False).json()["filenameToSignedUrls"]
    url = next(iter(urls.values()))
    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 400
