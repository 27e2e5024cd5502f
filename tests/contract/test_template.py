"""The template keeps what the design promises of the deployment: logs, dead letters, refusals, stores."""

from __future__ import annotations

import json
import os

import pytest
from nightmail.config.settings import Settings

from tests import template
from tests.contract.api_gateway import ApiGateway, Asked, gateway_responses
from tests.contract.oracles import OwnShapes
from tests.template import LAMBDA, Json, written

LAYER = template.ROOT / "layers/nightmail"
FUNCTIONS = list(template.resources(LAMBDA))


# ---- functions


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_to_a_group_of_its_own_that_forgets(function: str) -> None:
    group = f"{function.removesuffix('Function')}LogGroup"
    properties = written()["Resources"][function]["Properties"]

    assert properties["LoggingConfig"] == {"LogGroup": {"Ref": group}}
    assert written()["Resources"][group]["Properties"]["RetentionInDays"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_of_its_own(function: str) -> None:
    role = template.translated_resources("AWS::Lambda::Function")[function]["Role"]

    assert role == {"Fn::GetAtt": [f"{function}Role", "Arn"]}


def test_every_variable_is_a_field_of_the_settings() -> None:
    known = {name.upper() for name in Settings.model_fields}
    given = {
        name
        for properties in template.translated_resources("AWS::Lambda::Function").values()
        for name in properties["Environment"]["Variables"]
        if not name.startswith(("POWERTOOLS_", "AWS_"))
    }

    assert given <= known
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    assert {name.upper() for name in required} <= given


def test_what_streams_has_a_time_out_of_its_own_longer_than_its_function() -> None:
    """RESPONSE_STREAM is the word; API Gateway's 29 seconds hold where no other time-out is named."""
    (api,) = template.translated_resources("AWS::ApiGateway::RestApi").values()
    streamed = {
        path: integration
        for path, operations in api["Body"]["paths"].items()
        for integration in [operations.get("post", {}).get("x-amazon-apigateway-integration", {})]
        if integration.get("responseTransferMode") == "STREAM"
    }

    assert set(streamed) == {
        "/batch_completion",
        "/batch_completion_models",
        "/batch_completion_models_all_responses",
        "/chat/completions",
    }
    longest = written()["Parameters"]["StreamTimeoutSeconds"]["MaxValue"] * 1000
    for integration in streamed.values():
        assert integration["timeoutInMillis"] >= longest
        assert integration["uri"]["Fn::Sub"].endswith("/response-streaming-invocations")


def test_what_streams_starts_our_own_client_which_is_in_the_layer() -> None:
    """A layer's content lies under /opt (AWS Lambda developer guide, layers)."""
    streaming = {route.function for route in template.routes() if route.streams}
    for name, function in template.resources(LAMBDA).items():
        variables = function.get("Environment", {}).get("Variables", {})
        wrapper = variables.get("AWS_LAMBDA_EXEC_WRAPPER", "")
        assert bool(wrapper) == (name in streaming)
        if wrapper:
            assert os.access(LAYER / wrapper.removeprefix("/opt/python/"), os.X_OK)
            assert function["Timeout"] == {"Ref": "StreamTimeoutSeconds"}


def test_an_alarm_watches_no_more_metrics_than_cloudwatch_takes() -> None:
    """Ten (Amazon CloudWatch user guide, alarms on metric math)."""
    for alarm in template.resources("AWS::CloudWatch::Alarm").values():
        metrics = [each for each in alarm.get("Metrics", []) if "MetricStat" in each]
        assert len(metrics) <= 10


def test_the_parameters_defaults_are_the_settings_defaults() -> None:
    parameters = written()["Parameters"]
    for name, parameter in {
        "max_batch_lines": "MaxBatchLines",
        "max_batch_bytes": "MaxBatchBytes",
        "shard_concurrency": "ShardConcurrency",
        "map_concurrency": "MapConcurrency",
        "chunk_lines": "ChunkLines",
        "chunk_concurrency": "ChunkConcurrency",
    }.items():
        assert parameters[parameter]["Default"] == Settings.model_fields[name].default


# ---- dead letters


def queue_arn() -> Json:
    return {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_every_target_of_a_rule_has_a_dead_letter_queue() -> None:
    rules = template.translated_resources("AWS::Events::Rule")

    assert rules
    for rule in rules.values():
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": queue_arn()}


def test_every_function_that_a_rule_invokes_keeps_what_failed() -> None:
    kept = {
        each["FunctionName"]["Ref"]: each["DestinationConfig"]["OnFailure"]["Destination"]
        for each in template.translated_resources("AWS::Lambda::EventInvokeConfig").values()
    }
    invoked = {
        target["Arn"]["Fn::GetAtt"][0]
        for rule in template.translated_resources("AWS::Events::Rule").values()
        for target in rule["Targets"]
        if "Fn::GetAtt" in target["Arn"]
    }

    assert invoked == set(kept)
    assert all(destination == queue_arn() for destination in kept.values())


def test_every_reader_of_the_stream_keeps_what_failed_and_says_which() -> None:
    readers = template.translated_resources("AWS::Lambda::EventSourceMapping")

    assert readers
    for reader in readers.values():
        assert reader["DestinationConfig"]["OnFailure"]["Destination"] == queue_arn()
        assert reader["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert reader["BisectBatchOnFunctionError"]


def test_every_function_that_is_invoked_by_a_rule_permits_it() -> None:
    permitted = {
        (each["FunctionName"]["Ref"], each["SourceArn"]["Fn::GetAtt"][0])
        for each in template.translated_resources("AWS::Lambda::Permission").values()
        if each["Principal"] == "events.amazonaws.com"
    }
    invoked = {
        (target["Arn"]["Fn::GetAtt"][0], name)
        for name, rule in template.translated_resources("AWS::Events::Rule").items()
        for target in rule["Targets"]
        if "Fn::GetAtt" in target["Arn"]
    }

    assert permitted == invoked


# ---- the API's own refusals


@pytest.mark.parametrize("kind", gateway_responses())
def test_a_gateway_response_is_openais_envelope(kind: str) -> None:
    response = gateway_responses()[kind]
    body = response["ResponseTemplates"]["application/json"]
    filled = body.replace("$context.error.messageString", '"a message"')

    OwnShapes().check({"$ref": "#/$defs/Error"}, json.loads(filled))
    headers = response["ResponseParameters"]["Headers"]
    assert headers["x-request-id"] == "context.requestId"
    assert headers["x-should-retry"] in {"'true'", "'false'"}


@pytest.mark.parametrize("kind", ["REQUEST_TOO_LARGE", "DEFAULT_5XX", "INTEGRATION_TIMEOUT"])
def test_what_may_be_a_body_too_big_names_the_limit_and_the_way_out(kind: str) -> None:
    body = gateway_responses()[kind]["ResponseTemplates"]["application/json"]

    assert "4 MB" in body
    assert "/uploads" in body
    assert "/batches" in body


def test_an_unknown_route_is_a_404_that_names_it(gateway: ApiGateway) -> None:
    answer = gateway.answer(Asked("GET", "/v1/nowhere", []))

    assert answer.status == 404
    assert "GET /v1/nowhere" in answer.json["error"]["message"]


def test_no_key_and_a_wrong_key_get_the_same_answer() -> None:
    assert gateway_responses()["UNAUTHORIZED"] == gateway_responses()["ACCESS_DENIED"]


# ---- stores


@pytest.mark.parametrize("store", ["Table", "Bucket", "Secret"])
def test_a_store_outlives_the_stack(store: str) -> None:
    resource = written()["Resources"][store]

    assert resource["DeletionPolicy"] == "Retain"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_what_is_only_for_a_while_is_cleared_away() -> None:
    rules = written()["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    prefixes = {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule}

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert prefixes == {"work/", "uploads/", "inbox/", "outbox/", "answers/"}
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_nobody_reads_the_bucket_from_outside_or_without_tls() -> None:
    bucket = written()["Resources"]["Bucket"]["Properties"]
    (statement,) = written()["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


# ---- alarms


def test_every_functions_errors_raise_an_alarm() -> None:
    alarms = template.resources("AWS::CloudWatch::Alarm").values()
    metrics = [metric for alarm in alarms for metric in alarm.get("Metrics", [])]
    watched = {
        dimension["Value"]["Ref"]
        for metric in metrics
        for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
    }

    assert watched == set(FUNCTIONS)


def test_alarms_are_there_only_for_somebody_to_hear_them() -> None:
    for each in written()["Resources"].values():
        if each["Type"] == "AWS::CloudWatch::Alarm":
            assert each["Condition"] == "HasAlarms"
            assert each["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
