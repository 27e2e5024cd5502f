"""The config in the bucket: when a new one takes effect, and what happens to a broken one."""

from __future__ import annotations

import logging
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from nightmail.config.loader import ConfigLoader
from nightmail.errors import InvalidConfig, StorageUnavailable

from tests.unit.conftest import ENVIRONMENT

BUCKET, KEY = ENVIRONMENT["BUCKET_NAME"], "config/config.yaml"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Bucket:
    """The config's object, a loader of it, and how often that asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reads = 0
        self.client = boto3.client("s3")
        self.client.meta.events.register("before-call.s3.GetObject", self._count)
        self.loader = ConfigLoader(self.client, BUCKET, KEY, clock=self.clock)

    def put(self, *names: str, rest: str = "") -> None:
        entries = [f"{{model_name: {n}, litellm_params: {{model: openai/{n}}}}}" for n in names]
        self.write(f"model_list: [{', '.join(entries)}]\n{rest}")

    def write(self, text: str) -> None:
        self.client.put_object(Bucket=BUCKET, Key=KEY, Body=text.encode())

    def names(self) -> list[str]:
        return self.loader.current().model_names()

    def _count(self, **_: Any) -> None:
        self.reads += 1


@pytest.fixture
def bucket(aws: None) -> Bucket:
    return Bucket()


def test_a_config_is_read_once_a_minute(bucket: Bucket) -> None:
    bucket.put("a")
    assert bucket.names() == ["a"]
    bucket.put("b")
    bucket.clock.seconds = 59
    assert bucket.names() == ["a"]
    assert bucket.reads == 1
    bucket.clock.seconds = 60
    assert bucket.names() == ["b"]
    assert bucket.reads == 2


def test_an_unchanged_config_is_not_read_into_a_new_one(bucket: Bucket) -> None:
    bucket.put("a")
    first = bucket.loader.current()
    bucket.clock.seconds = 60
    assert bucket.loader.current() is first
    assert bucket.reads == 2


def test_a_broken_config_leaves_the_last_good_one_in_force_and_is_logged_once(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put("a")
    bucket.names()
    bucket.write("model_list: {}")
    for seconds in (60, 120):
        bucket.clock.seconds = seconds
        assert bucket.names() == ["a"]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert vars(record)["problems"][0].startswith("model_list: ")
    bucket.put("b")
    bucket.clock.seconds = 180
    assert bucket.names() == ["b"]


def test_a_broken_config_is_refused_where_there_never_was_a_good_one(bucket: Bucket) -> None:
    bucket.write("model_list: {}")
    for seconds in (0, 60):
        bucket.clock.seconds = seconds
        with pytest.raises(InvalidConfig, match=r"^model_list: "):
            bucket.loader.current()


def test_without_a_config_there_are_no_models_until_one_is_put(bucket: Bucket) -> None:
    assert bucket.names() == []
    bucket.put("a")
    bucket.clock.seconds = 60
    assert bucket.names() == ["a"]


def test_a_config_that_was_removed_is_no_longer_in_force(bucket: Bucket) -> None:
    bucket.put("a")
    bucket.names()
    bucket.client.delete_object(Bucket=BUCKET, Key=KEY)
    bucket.clock.seconds = 60
    assert bucket.names() == []


def test_warnings_are_logged_once_for_a_version(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put("a", rest="callbacks: [x]")
    for seconds in (0, 60):
        bucket.clock.seconds = seconds
        bucket.names()
    (record,) = caplog.records
    assert vars(record)["warnings"] == ["callbacks: nothing acts on this key; it is ignored."]


def stubbed(client: Any, code: str) -> Stubber:
    stubber = Stubber(client)
    stubber.add_client_error("get_object", service_error_code=code)
    stubber.activate()
    return stubber


def test_a_bucket_that_does_not_answer_leaves_the_last_one_in_force(bucket: Bucket) -> None:
    bucket.put("a")
    bucket.names()
    bucket.clock.seconds = 60
    with stubbed(bucket.client, "SlowDown"):
        assert bucket.names() == ["a"]


@pytest.mark.parametrize("code", ["SlowDown", "NoSuchBucket"])
def test_a_bucket_that_never_answered_is_an_error_and_is_asked_again(
    bucket: Bucket, code: str
) -> None:
    bucket.put("a")
    with stubbed(bucket.client, code), pytest.raises(StorageUnavailable):
        bucket.loader.current()
    assert bucket.names() == ["a"]


def test_a_missing_config_is_missing_to_those_who_may_not_list_the_bucket_too(
    bucket: Bucket,
) -> None:
    for seconds in (0, 60):
        bucket.clock.seconds = seconds
        with stubbed(bucket.client, "AccessDenied"):
            assert bucket.names() == []


def test_a_config_that_may_no_longer_be_read_stays_in_force(bucket: Bucket) -> None:
    bucket.put("a")
    bucket.names()
    bucket.clock.seconds = 60
    with stubbed(bucket.client, "AccessDenied"):
        assert bucket.names() == ["a"]


def test_a_lost_connection_is_an_error_of_ours(bucket: Bucket) -> None:
    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3.test")

    bucket.client.meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(StorageUnavailable):
        bucket.loader.current()
