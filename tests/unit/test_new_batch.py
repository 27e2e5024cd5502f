"""What a new batch may be asked to be: its window, and the extensions."""

from __future__ import annotations

from typing import Any

import pytest
from nightmail.batch import Batch
from nightmail.errors import InvalidRequest
from nightmail.new_batch import parse_new_batch, parse_retry

from tests.unit.samples import NOW, sample_batch

HOUR = 3600
BODY = {
    "input_file_id": "file-in",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}


NO_WINDOWS = [
    *("", "24", "h", "24H", "h24", " 24h", "24h ", "24h\n", "1d12h", "9" * 9999),
    *("30m", "3600s", "1w", "0.5h", "1.5d", "1e1h", "-1h", "+1h", "01h", "00h", "٢h", "²h"),
    *("0h", "0d", "169h", "1000h", "8d", "999d"),
]


def made(**changes: Any) -> Batch:
    return parse_new_batch({**BODY, **changes}).batch("batch_x", "alice", NOW)


def refused(**changes: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        made(**changes)
    return refusal.value


@pytest.mark.parametrize(
    ("window", "hours"),
    [("1h", 1), ("24h", 24), ("60h", 60), ("168h", 168), ("1d", 24), ("7d", 7 * 24)],
)
def test_a_window_of_hours_or_days_says_when_the_batch_expires(window: str, hours: int) -> None:
    batch = made(completion_window=window)

    assert batch.completion_window == window
    assert batch.expires_at == NOW + hours * HOUR


@pytest.mark.parametrize("window", NO_WINDOWS)
def test_any_other_window_is_refused_with_the_accepted_forms(window: str) -> None:
    error = refused(completion_window=window)

    assert (error.http_status, error.param, error.code) == (
        400,
        "completion_window",
        "invalid_value",
    )
    assert error.message == (
        f"Invalid value: '{window[:200]}'. Supported values are: '24h', and any other number of hours "
        "from '1h' to '168h' or of days from '1d' to '7d'."
    )


@pytest.mark.parametrize("window", [24, 24.0, True, None, ["24h"], {"hours": 24}])
def test_a_window_that_is_no_text_is_refused(window: Any) -> None:
    error = refused(completion_window=window)

    assert (error.param, error.code) == ("completion_window", "invalid_type")


def test_what_nobody_asked_for_is_left_to_the_config() -> None:
    batch = made()

    assert (batch.strict, batch.on_deadline, batch.dry_run) == (None, None, False)
    assert batch.delete_at is None


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("on_deadline", ["expire", "finish_direct"])
def test_the_object_of_extensions_is_heard(*, strict: bool, on_deadline: str) -> None:
    batch = made(nightmail={"strict": strict, "on_deadline": on_deadline, "dry_run": False})

    assert (batch.strict, batch.on_deadline, batch.dry_run) == (strict, on_deadline, False)


def test_a_dry_run_is_kept_for_a_day() -> None:
    batch = made(nightmail={"dry_run": True}, completion_window="7d")

    assert batch.dry_run
    assert batch.delete_at == NOW + 24 * HOUR
    assert batch.expires_at == NOW + 7 * 24 * HOUR


def test_metadata_of_the_same_names_is_heard_and_stays_as_it_was() -> None:
    metadata = {
        "strict": "true",
        "on_deadline": "finish_direct",
        "dry_run": "true",
        "customer": "7",
    }
    batch = made(metadata=metadata)

    assert (batch.strict, batch.on_deadline, batch.dry_run) == (True, "finish_direct", True)
    assert batch.metadata == metadata


def test_who_sends_the_object_may_have_metadata_of_any_meaning() -> None:
    batch = made(metadata={"strict": "very", "dry_run": "true"}, nightmail={"strict": False})

    assert (batch.strict, batch.dry_run) == (False, False)


def test_null_is_as_good_as_nothing() -> None:
    batch = made(
        nightmail={"strict": None, "on_deadline": None, "dry_run": None},
        metadata={"strict": "true"},
    )

    assert (batch.strict, batch.on_deadline, batch.dry_run) == (None, None, False)
    assert made(nightmail=None, metadata={"strict": "true"}).strict is True


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("strict", "true", "invalid_type"),
        ("strict", 1, "invalid_type"),
        ("dry_run", "yes", "invalid_type"),
        ("dry_run", 0, "invalid_type"),
        ("on_deadline", "finish", "invalid_value"),
        ("on_deadline", True, "invalid_type"),
        ("on_dead_line", "expire", "unknown_parameter"),
    ],
)
def test_a_wrong_extension_is_refused_by_its_name(field: str, value: Any, code: str) -> None:
    error = refused(nightmail={field: value})

    assert (error.param, error.code) == (f"nightmail.{field}", code)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("strict", "True", "invalid_value"),
        ("strict", "", "invalid_value"),
        ("dry_run", "1", "invalid_value"),
        ("on_deadline", "never", "invalid_value"),
        ("strict", True, "invalid_type"),
        ("dry_run", None, "invalid_type"),
    ],
)
def test_a_wrong_setting_in_the_metadata_is_refused_by_its_name(
    field: str, value: Any, code: str
) -> None:
    error = refused(metadata={field: value})

    assert (error.param, error.code) == (f"metadata.{field}", code)


@pytest.mark.parametrize("value", [True, [], "strict", 1])
def test_extensions_that_are_no_object_are_refused(value: Any) -> None:
    assert refused(nightmail=value).param == "nightmail"


def retried(parent: Batch, **body: Any) -> Batch:
    return parse_retry(body, parent).batch("batch_child", "alice", NOW + HOUR)


def test_a_retry_is_as_its_parent_was() -> None:
    parent = sample_batch(
        completion_window="60h",
        metadata={"customer": "7"},
        strict=True,
        on_deadline="finish_direct",
        output_expires_after={"seconds": 7200},
        deployment_hint="gpt-hint",
    )
    child = retried(parent)

    for name in (
        *("input_file_id", "endpoint", "completion_window", "metadata", "strict", "on_deadline"),
        *("output_expires_after", "deployment_hint"),
    ):
        assert getattr(child, name) == getattr(parent, name), name
    assert child.expires_at == child.created_at + 60 * HOUR
    assert child.status == "validating"


def test_a_retry_may_change_the_window_the_metadata_and_the_extensions() -> None:
    parent = sample_batch(strict=True, on_deadline="finish_direct", metadata={"customer": "7"})
    child = retried(
        parent,
        completion_window="1h",
        metadata=None,
        nightmail={"strict": False, "on_deadline": "expire", "dry_run": True},
    )

    assert (child.completion_window, child.expires_at) == ("1h", child.created_at + HOUR)
    assert child.metadata is None
    assert (child.strict, child.on_deadline, child.dry_run) == (False, "expire", True)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint", "unknown_parameter"),
        ({"input_file_id": "file-x"}, "input_file_id", "unknown_parameter"),
        ({"completion_window": "1m"}, "completion_window", "invalid_value"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"nightmail": {"retry_of": "x"}}, "nightmail.retry_of", "unknown_parameter"),
    ],
)
def test_a_retry_refuses_anything_else(body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        retried(sample_batch(), **body)

    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize("name", ["strict", "on_deadline", "dry_run"])
def test_an_option_in_the_wrong_place_is_refused_with_the_right_one(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_new_batch({**BODY, name: True})
    assert f"'nightmail.{name}'" in refused.value.message
    assert refused.value.param == name
