"""Jobs of Bedrock: who has them, what they are made of, and whole lives of batches by way of the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.session import Session
from botocore.validate import ParamValidator
from nightmail.batch import BatchStatus
from nightmail.deployment import Deployment
from nightmail.errors import (
    InvalidRequest,
    NotInBatches,
    ProviderNotFound,
    ProviderQueueFull,
    ProviderUnavailable,
    ProviderUnclear,
    StorageUnavailable,
)
from nightmail.lines import Line
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, Cursor, Limits
from nightmail.providers.bedrock import aws
from nightmail.providers.bedrock.batch_format import BedrockFormat
from nightmail.providers.bedrock.batch_results import UNDER_WAY
from nightmail.providers.bedrock.batches import BedrockBatches
from nightmail.providers.registry import has_native_lane, open_format, open_provider

from local.simulator.client import SimulatorClient
from tests.bucket_folder import BUCKET
from tests.unit.adapters.cases import CHAT, PUBLIC_MODEL, QUESTION, WITH_TOOLS
from tests.unit.deaths import worlds
from tests.unit.machine import Json
from tests.unit.native.bedrock_samples import BEDROCK, NAME, ROLE
from tests.unit.native.cases import TAG, Told, number_of
from tests.unit.native.script import Answer, Script
from tests.unit.native_lanes import NATIVE_LANES
from tests.unit.samples import NOW
from tests.unit.world import World, request

MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
ENOUGH = 100
TOOLS = WITH_TOOLS["tools"]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a stack's function."""
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_REGION_NAME", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_BATCH_ROLE_ARN": ROLE,
    }.items():
        monkeypatch.setenv(name, value)
    aws.own_session.cache_clear()
    yield
    aws.own_session.cache_clear()


@pytest.fixture
def jobs(stack: None, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with the simulator in Bedrock's place."""
    for name in ("AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.setenv(name, simulator.base_of("bedrock"))


def deployment(model: str = MODEL, **more: Any) -> Deployment:
    return Deployment(name=PUBLIC_MODEL, provider="bedrock", model=model, **more)


# ---- Who has them


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("fields", "has_jobs"),
    [
        ({}, True),
        ({"aws_region_name": "us-east-1"}, True),
        ({"model": f"converse/{MODEL}"}, True),
        ({"model": f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"}, True),
        ({"aws_region_name": "eu-west-1"}, False),
        ({"aws_region_name": "os.environ/REGION"}, False),
        ({"model": f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"}, False),
        ({"aws_access_key_id": "os.environ/ID", "aws_secret_access_key": "os.environ/KEY"}, False),
        ({"aws_secret_access_key": "os.environ/KEY"}, False),
        ({"api_key": "os.environ/KEY"}, False),
        ({"api_base": "https://runtime.example"}, False),
        ({"model": "amazon.titan-embed-text-v2:0"}, False),
    ],
)
def test_a_model_has_jobs_where_the_stacks_role_and_bucket_are(
    fields: Json, has_jobs: bool
) -> None:
    assert has_native_lane(deployment(**fields)) is has_jobs


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", ["AWS_BATCH_ROLE_ARN", "AWS_REGION"])
def test_outside_of_a_stack_there_are_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv(name)
    assert not has_native_lane(deployment())
    with pytest.raises(InvalidRequest, match="no native batch API for bedrock"):
        open_provider(deployment(), None, BUCKET)


@pytest.mark.usefixtures("stack")
def test_without_a_bucket_there_are_none() -> None:
    with pytest.raises(InvalidRequest, match="no native batch API for bedrock"):
        open_provider(deployment(), None)


@pytest.mark.usefixtures("stack")
def test_a_line_with_tools_is_not_for_batches() -> None:
    body = {"model": PUBLIC_MODEL, "messages": QUESTION, "tools": TOOLS}
    line = Line(1, "a", CHAT, PUBLIC_MODEL, body)
    with pytest.raises(NotInBatches) as caught:
        open_format(deployment()).to_line(line, "id")
    assert caught.value.param == "tools"


# ---- What is asked


def scripted(*answers: Answer, **fields: Any) -> tuple[BatchProvider, list[httpx.Request]]:
    provider, script = BEDROCK.scripted(*answers)
    if fields:
        transport = httpx.MockTransport(script)
        http = httpx.Client(base_url=BEDROCK.base, transport=transport)
        provider = BEDROCK.open(BEDROCK.deployment(**fields), http, None)
    return provider, script.requests


def test_a_job_is_asked_for_by_a_token_that_is_the_same_each_time() -> None:
    started = httpx.Response(200, json=BEDROCK.started("abc123def456"))
    provider, requests = scripted(started, started)
    content = BEDROCK.shard_input()
    for _ in range(2):
        prepared = provider.prepare(content, TAG)
        assert provider.submit(prepared, content, CHAT, TAG) == "abc123def456"
    assert requests[0].content == requests[1].content
    assert b"".join(BUCKET.read(prepared, 0)) == b"".join(content.read())
    asked = httpx.Response(200, content=requests[0].content).json()
    assert asked["jobName"] == asked["clientRequestToken"] == NAME
    assert asked["roleArn"] == ROLE
    assert asked["inputDataConfig"]["s3InputDataConfig"]["s3Uri"] == BUCKET.uri(prepared)
    assert prepared.startswith(f"work/{TAG.batch_id}/bedrock/")
    shape = Session().get_service_model("bedrock").shape_for("CreateModelInvocationJobRequest")
    assert not ParamValidator().validate(asked, shape).has_errors()


def refusal(name: str, status: int = 400) -> httpx.Response:
    headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/"}
    return httpx.Response(status, json={"message": "No."}, headers=headers)


def test_a_quota_that_is_full_is_waited_for() -> None:
    provider, _ = scripted(refusal("ServiceQuotaExceededException"))
    with pytest.raises(ProviderQueueFull) as caught:
        provider.submit("key", BEDROCK.shard_input(), CHAT, TAG)
    assert caught.value.retryable


def test_a_conflict_may_be_with_the_very_job() -> None:
    provider, _ = scripted(refusal("ConflictException"))
    with pytest.raises(ProviderUnclear):
        provider.submit("key", BEDROCK.shard_input(), CHAT, TAG)
    provider, _ = scripted(refusal("ConflictException"), httpx.Response(200, json={}))
    with pytest.raises(ProviderUnavailable):
        provider.cancel("job")


@pytest.mark.parametrize(
    ("most", "model", "word", "is_full"),
    [
        (2, MODEL, "InProgress", True),
        (2, f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}", "Scheduled", True),
        (2, "another", "InProgress", False),
        (3, MODEL, "InProgress", False),
    ],
)
def test_no_more_jobs_of_a_model_are_started_than_the_config_lets(
    most: int, model: str, word: str, is_full: bool
) -> None:
    listed = [{**BEDROCK.batch(Told(identity=name, word=word)), "modelId": model} for name in "ab"]
    pages = [jobs_page(*(listed if word == status else ())) for status in UNDER_WAY]
    started = httpx.Response(200, json=BEDROCK.started("mine"))
    provider, _ = scripted(*pages, started, model=MODEL, max_batch_jobs=most)
    if is_full:
        with pytest.raises(ProviderQueueFull):
            provider.submit("key", BEDROCK.shard_input(), CHAT, TAG)
    else:
        assert provider.submit("key", BEDROCK.shard_input(), CHAT, TAG) == "mine"


def jobs_page(*jobs: Json) -> httpx.Response:
    return httpx.Response(200, json={"invocationJobSummaries": jobs})


def test_only_jobs_under_way_are_listed_and_each_counts_once() -> None:
    job = {**BEDROCK.batch(Told(identity="a", word="Scheduled")), "modelId": MODEL}
    pages = [jobs_page(job) for _ in UNDER_WAY]
    provider, requests = scripted(
        *pages,
        httpx.Response(200, json=BEDROCK.started("mine")),
        model=MODEL,
        max_batch_jobs=2,
    )
    assert provider.submit("key", BEDROCK.shard_input(), CHAT, TAG) == "mine"
    assert [each.url.params["statusEquals"] for each in requests[:-1]] == list(UNDER_WAY)


class Unlisted:
    """A bucket that is not to be looked into."""

    uri, write, read = BUCKET.uri, BUCKET.write, BUCKET.read

    def has(self, key: str) -> bool:
        raise StorageUnavailable(f"{key} is looked for.")


def test_a_job_that_has_ended_is_cancelled_without_a_look_into_the_bucket() -> None:
    job = BEDROCK.batch(Told(ending=Ending.COMPLETED, completed=1))
    script = Script([refusal("ConflictException"), httpx.Response(200, json=job)])
    http = httpx.Client(base_url=BEDROCK.base, transport=httpx.MockTransport(script))
    provider = BedrockBatches(BEDROCK.deployment(), http, None, objects=Unlisted(), role=ROLE)
    provider.cancel("job")
    assert [request.method for request in script.requests] == ["POST", "GET"]


def test_a_job_that_failed_tells_why() -> None:
    job = {**BEDROCK.batch(Told(word="Failed")), "message": "Less records than the minimum."}
    provider, _ = scripted(httpx.Response(200, json=job))
    progress = provider.poll("batch-1")
    assert progress.ending is Ending.FAILED
    assert [error.message for error in progress.errors] == ["Less records than the minimum."]


def test_results_of_another_bucket_are_nobodys() -> None:
    job = BEDROCK.batch(Told(ending=Ending.COMPLETED, completed=1))
    job["outputDataConfig"] = {"s3OutputDataConfig": {"s3Uri": "s3://another/folder/"}}
    provider, _ = scripted(httpx.Response(200, json=job))
    assert provider.poll("batch-1").output_ids == []


def test_results_that_are_gone_are_not_found() -> None:
    provider, _ = scripted()
    with pytest.raises(ProviderNotFound):
        list(provider.results(["work/gone.out"], PUBLIC_MODEL, Cursor(), number_of))


@pytest.mark.parametrize("error", [None, "text", {}, {"errorCode": "x"}, {"errorCode": 200}])
def test_a_record_with_an_odd_error_is_an_outcome_all_the_same(error: object) -> None:
    refused = BEDROCK.refused("7a3b9d5e8f4c2b6a1d30-7", 400, "No.") | {"error": error}
    provider = BEDROCK.serving(httpx.Response(200, json=refused).content)
    (result,) = BEDROCK.read(provider)
    assert result.outcome
    assert result.outcome.number == 7


# ---- Whole lives


def world(simulator: SimulatorClient, **more: Any) -> World:
    limits = {"api_key": None, "api_base": None, "model": MODEL, **more.pop("limits", {})}
    return World(simulator, provider="bedrock", limits=limits, **more)


def lines(count: int, **more: Any) -> list[Json]:
    plain = [request(number) for number in range(1, count + 1)]
    return [{**each, "body": {**each["body"], **more}} for each in plain]


@pytest.mark.usefixtures("jobs")
def test_a_hundred_lines_go_by_a_job(simulator: SimulatorClient) -> None:
    life = world(simulator)
    life.create(lines(ENOUGH))
    assert life.run().state == "BatchEnded"
    assert set(life.check_promises(lines(ENOUGH)).lanes) == {"native"}
    (job,) = simulator.batches()
    assert job["roleArn"] == ROLE


@pytest.mark.usefixtures("jobs")
def test_fewer_are_called(simulator: SimulatorClient) -> None:
    life = world(simulator)
    life.create(lines(ENOUGH - 1))
    life.run()
    assert set(life.check_promises(lines(ENOUGH - 1)).lanes) == {"direct"}
    assert simulator.batches() == []


@pytest.mark.usefixtures("jobs")
def test_a_model_without_access_fails_its_batch_in_the_words_of_bedrock(
    simulator: SimulatorClient,
) -> None:
    simulator.behave({"kind": "status", "status": 403, "match": {"path": "/model-invocation-job"}})
    life = world(simulator)
    life.create(lines(ENOUGH))
    life.run()
    error = life.check_promises(lines(ENOUGH)).errors[0]["error"]
    assert life.batch.status is BatchStatus.FAILED
    assert error["code"] == "AccessDeniedException"
    words = "You don't have access to the model with the specified model ID."
    assert error["message"] == life.batch.errors[0].message == f"bedrock answered 403: {words}"


@pytest.mark.usefixtures("jobs")
def test_lines_with_tools_are_called_beside_the_job(simulator: SimulatorClient) -> None:
    mixed = lines(ENOUGH) + [
        {**each, "custom_id": f"tool-{each['custom_id']}"}
        for each in lines(3, tools=TOOLS, tool_choice="auto")
    ]
    life = world(simulator)
    life.create(mixed)
    assert life.run().state == "BatchEnded"
    lanes = {line["custom_id"]: line["nightmail"]["lane"] for line in life.results().output}
    assert len(lanes) == ENOUGH + 3
    assert {name for name, lane in lanes.items() if lane == "direct"} == {
        f"tool-line-{number}" for number in range(1, 4)
    }


@pytest.mark.usefixtures("jobs")
def test_a_fallback_has_lines_with_tools_called_beside_its_job(simulator: SimulatorClient) -> None:
    simulator.behave(
        {"kind": "failed_batch", "match": {"provider": "openai"}, "errors": [{"code": "no"}]}
    )
    life = world(simulator)
    first = Deployment(
        name="gpt",
        provider="openai",
        model="gpt-5",
        api_base=simulator.base_of("openai"),
        api_key="os.environ/KEY",
        lane="native",
    )
    life.groups = {"gpt": [first]}
    life.fallbacks = {"gpt": ["claude"]}
    mixed = lines(ENOUGH, model="gpt") + [
        {**each, "custom_id": f"tool-{each['custom_id']}"}
        for each in lines(3, model="gpt", tools=TOOLS)
    ]
    life.create(mixed, expires_at=NOW + 60 * 3600)
    assert life.run().state == "BatchEnded"
    lanes = [each["nightmail"] for each in life.results().output]
    assert {each["provider"] for each in lanes} == {"bedrock"}
    assert [each["lane"] for each in lanes].count("direct") == 3
    assert len(lanes) == ENOUGH + 3


@pytest.mark.usefixtures("jobs")
def test_where_nothing_may_be_called_lines_with_tools_are_refused(
    simulator: SimulatorClient,
) -> None:
    life = world(simulator, lane="native")
    whole = lines(ENOUGH) + lines(1, tools=TOOLS)[:1]
    whole[-1]["custom_id"] = "with tools"
    life.create(whole)
    life.run()
    (refused,) = life.results().errors
    assert refused["custom_id"] == "with tools"
    assert refused["response"]["body"]["error"]["param"] == "tools"


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("when", ["after", "during"])
def test_a_job_whose_answer_was_lost_is_paid_once(simulator: SimulatorClient, when: str) -> None:
    simulator.behave({"kind": "drop", "when": when, "match": BEDROCK.submission, "times": 1})
    life = world(simulator)
    life.create(lines(ENOUGH))
    assert life.run().state == "BatchEnded"
    life.check_promises(lines(ENOUGH))
    assert len(simulator.batches()) == 1


@pytest.mark.usefixtures("jobs")
def test_a_batch_waits_until_the_quota_has_room(simulator: SimulatorClient) -> None:
    fault = {"kind": "status", "status": 400, "match": BEDROCK.submission, "times": 3}
    simulator.behave({**fault, "headers": {"x-amzn-errortype": "ServiceQuotaExceededException"}})
    life = world(simulator)
    life.create(lines(ENOUGH))
    assert life.run().state == "BatchEnded"
    assert set(life.check_promises(lines(ENOUGH)).lanes) == {"native"}


@pytest.mark.usefixtures("jobs")
def test_a_batch_waits_until_the_config_has_room(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "stuck_batch", "name": "first", "times": 1})
    first = open_provider(deployment(), None, BUCKET)
    content = BEDROCK.shard_input(ENOUGH)
    first.submit(first.prepare(content, TAG), content, CHAT, TAG)
    life = world(simulator, limits={"max_batch_jobs": 1})
    life.create(lines(ENOUGH))
    life.step("PlanBatch")
    assert life.step("SubmitShard", 1)["next"] == "submit"
    assert len(simulator.batches()) == 1
    simulator.release("first")
    simulator.until_settled()
    assert life.step("SubmitShard", 1)["next"] == "poll"
    assert len(simulator.batches()) == 2


@pytest.mark.usefixtures("jobs")
def test_a_cancelled_batch_stops_its_job(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "stuck_batch", "after_lines": 10})
    life = world(simulator, cancel_at="PollShard")
    life.create(lines(ENOUGH))
    assert life.run().state == "BatchEnded"
    assert life.batch.status is BatchStatus.CANCELLED
    (job,) = simulator.batches()
    assert job["status"] == "cancelled"


@pytest.mark.usefixtures("jobs")
def test_a_job_runs_beside_the_batches_of_all_others_in_a_bad_hour(
    simulator: SimulatorClient,
) -> None:
    simulator.behave(
        {"kind": "drop", "when": "after", "match": BEDROCK.submission, "times": 1},
        {"kind": "status", "status": 503, "share": 0.2, "match": {"method": "GET"}},
        {"kind": "late_output", "polls": 1},
        {"kind": "duplicated"},
    )
    life = World(simulator, lane="native")
    own = {"provider": "bedrock", "model": MODEL, "api_key": None, "api_base": None}
    life.groups = {name: [life.deployment(name, provider=name)] for name in NATIVE_LANES}
    life.groups["bedrock"] = [life.deployment("bedrock", **own)]
    models = [*NATIVE_LANES] * 2 + ["bedrock"] * ENOUGH
    whole = [
        {**each, "body": {**each["body"], "model": model, "max_tokens": 50}}
        for each, model in zip(lines(len(models)), models, strict=True)
    ]
    life.create(whole)
    assert life.run().state == "BatchEnded"
    results = life.check_promises(whole)
    answered = {each["nightmail"]["provider"] for each in results.output}
    assert answered == {*NATIVE_LANES, "bedrock"}
    assert set(results.lanes) == {"native"}


@pytest.fixture
def few(jobs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of a few lines, as nobody starts them."""
    monkeypatch.setattr(BedrockFormat, "limits", Limits(lines=3, bytes=100_000))


@pytest.mark.usefixtures("few")
def test_a_kill_behind_each_call_loses_nothing_and_pays_nothing_twice(
    simulator: SimulatorClient,
) -> None:
    faults: list[Json] = [
        {"kind": "drop", "when": "after", "match": BEDROCK.submission, "times": 1},
        {"kind": "late_output", "polls": 2, "times": 1},
    ]
    own = {"api_key": None, "api_base": None, "model": MODEL}
    for life in worlds(simulator, *faults, provider="bedrock", limits=own):
        simulator.set(min_records=1)
        life.create(lines(4))
        assert life.run().state == "BatchEnded"
        assert set(life.check_promises(lines(4)).lanes) == {"native"}
        assert len(simulator.batches()) == 2


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("fault", "answered"),
    [
        ({"kind": "missing"}, 2),
        ({"kind": "garbage"}, 3),
        ({"kind": "duplicated"}, 3),
        ({"kind": "unknown_ids"}, 3),
        ({"kind": "expired_batch", "after_lines": 2}, 2),
        ({"kind": "lagging_counts"}, 3),
        ({"kind": "odd_status", "polls": 2}, 3),
    ],
    ids=lambda fault: fault["kind"] if isinstance(fault, dict) else str(fault),
)
def test_every_line_has_an_outcome_whatever_becomes_of_the_job(
    simulator: SimulatorClient, fault: Json, answered: int
) -> None:
    simulator.set(min_records=1)
    simulator.behave(fault)
    life = world(simulator, lane="native")
    life.create(lines(3))
    assert life.run().state == "BatchEnded"
    lost = int(fault["kind"] == "missing")
    results = life.check_promises(lines(3), lost=lost)
    assert len(results.output) == answered


# ---- The simulator, by AWS's own client


def client(simulator: SimulatorClient) -> Any:
    return boto3.client(
        "bedrock",
        endpoint_url=simulator.base_of("bedrock"),
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_awss_own_client_gets_what_its_service_model_describes(simulator: SimulatorClient) -> None:
    simulator.set(min_records=1)
    BUCKET.write("in/lines.jsonl", BEDROCK.shard_input().read())
    bedrock = client(simulator)
    arn = bedrock.create_model_invocation_job(
        jobName="mine",
        roleArn=ROLE,
        modelId=MODEL,
        modelInvocationType="Converse",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": BUCKET.uri("in/lines.jsonl")}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": BUCKET.uri("out/")}},
    )["jobArn"]
    identity = arn.rpartition("/")[2]
    simulator.until_final(identity)
    for known in (arn, identity):
        job = bedrock.get_model_invocation_job(jobIdentifier=known)
        assert (job["status"], job["successRecordCount"]) == ("Completed", 3)
    assert BUCKET.has(f"out/{identity}/lines.jsonl.out")
    assert BUCKET.has(f"out/{identity}/manifest.json.out")
    listed = bedrock.list_model_invocation_jobs(nameContains="min", maxResults=1)
    assert [each["jobArn"] for each in listed["invocationJobSummaries"]] == [arn]
    with pytest.raises(bedrock.exceptions.ConflictException):
        bedrock.stop_model_invocation_job(jobIdentifier=arn)
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_model_invocation_job(jobIdentifier="000000000000")


def test_a_job_of_too_few_records_fails(simulator: SimulatorClient) -> None:
    provider = BEDROCK.opened(simulator.base_of("bedrock"))
    content = BEDROCK.shard_input()
    identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    simulator.until_final(identity)
    progress = provider.poll(identity)
    assert progress.ending is Ending.FAILED
    assert "minimum of: 100" in progress.errors[0].message
