"""Which lines of a shard pass on, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from nightmail.deployment import Deployment
from nightmail.outcome import Kind, Outcome
from nightmail.part import Ending
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat
from nightmail.providers.registry import open_format
from nightmail.steps.passing_on import (
    MOST_NATIVE_ROUNDS,
    Destination,
    PassingOn,
    Reason,
    reason_of,
    reason_of_silence,
)

from tests.unit.samples import NOW, sample_batch, sample_shard

HOUR = 3600
MODEL = "gpt-5-mini"


def refused(status: Any, code: str | None = None) -> Outcome:
    body = {"error": {"code": code, "message": "No."}}
    return Outcome(1, Kind.REFUSED, {"status_code": status, "body": body})


def failed(code: str) -> Outcome:
    return Outcome(1, Kind.FAILED, error={"code": code, "message": "No."})


def deployment(name: str = MODEL, provider: str = "openai", **more: Any) -> Deployment:
    return Deployment(name=name, provider=provider, model=f"{name}-upstream", **more)


def destination(
    reason: Reason,
    *fallbacks: Deployment,
    hours: float = 60,
    batch: Mapping[str, Any] | None = None,
    counts: dict[Reason, int] | None = None,
    **shard: Any,
) -> Destination | None:
    """Where lines of a shard of OpenAI's go with so many hours left."""
    fields = {"deployment": deployment(), "fallbacks": fallbacks, **shard}
    rules = PassingOn(
        sample_batch(expires_at=NOW + int(hours * HOUR), **(batch or {})),
        sample_shard(**fields),
        open_format,
        NOW,
    )
    return rules.destinations(counts or {reason: 3}).get(reason)


def place(found: Destination | None) -> tuple[str, str, int] | None:
    return (found.deployment.name, found.lane, found.tries) if found else None


# ---- Why


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_heal_is_tried_again(status: int) -> None:
    assert reason_of(refused(status)) is Reason.RETRY


@pytest.mark.parametrize("status", [401, 402, 403, 404, 451])
def test_what_one_deployment_refuses_another_may_answer(status: int) -> None:
    assert reason_of(refused(status)) is Reason.REFUSED


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_everywhere_is_refused_for_good_unless_it_is_too_long(status: int) -> None:
    assert reason_of(refused(status)) is None
    assert reason_of(refused(status, "context_length_exceeded")) is Reason.REFUSED


@pytest.mark.parametrize("response", [{}, {"status_code": "429"}, {"status_code": None, "body": 1}])
def test_a_refusal_without_a_status_is_the_end(response: dict[str, Any]) -> None:
    assert reason_of(Outcome(1, Kind.REFUSED, response)) is None


@pytest.mark.parametrize("body", [None, [], {"error": "x"}, {"error": {"code": 7}}])
def test_a_refusal_in_odd_words_goes_by_its_status(body: Any) -> None:
    outcome = Outcome(1, Kind.REFUSED, {"status_code": 403, "body": body})
    assert reason_of(outcome) is Reason.REFUSED


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("batch_expired", Reason.EXPIRED),
        ("request_timeout", Reason.RETRY),
        ("batch_cancelled", None),
        ("provider_error", None),
    ],
)
def test_of_lines_that_were_not_run_those_pass_on_that_came_too_late(
    code: str, reason: Reason | None
) -> None:
    assert reason_of(failed(code)) is reason


def test_an_answer_passes_nowhere() -> None:
    assert reason_of(Outcome(1, Kind.ANSWERED, {"status_code": 200})) is None


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending.COMPLETED, None),
        (Ending.CANCELLED, None),
        (Ending.EXPIRED, Reason.EXPIRED),
        (Ending.FAILED, Reason.SHARD_REFUSED),
        (Ending.LOST, Reason.SHARD_REFUSED),
        (None, None),
    ],
)
def test_silence_is_a_reason_where_there_were_no_results_at_all(
    ending: Ending | None, reason: Reason | None
) -> None:
    assert reason_of_silence(sample_shard(ending=ending)) is reason
    assert reason_of_silence(sample_shard(ending=ending, provider_output_ids=["f"])) is None


# ---- Again at the same deployment


@pytest.mark.parametrize(
    ("hours", "lane"), [(24, "native"), (23.9, "direct"), (0.1, "direct"), (168, "native")]
)
def test_lines_go_natively_again_while_the_providers_window_fits(hours: float, lane: str) -> None:
    assert place(destination(Reason.RETRY, hours=hours)) == (MODEL, lane, 1)


def test_what_was_not_run_in_time_costs_no_try() -> None:
    assert place(destination(Reason.EXPIRED, tries=5)) == (MODEL, "native", 5)


def test_all_that_may_heal_goes_together() -> None:
    counts = {Reason.RETRY: 1, Reason.EXPIRED: 2}
    found = [destination(reason, counts=counts) for reason in counts]
    assert found[0] == found[1]
    assert place(found[0]) == (MODEL, "native", 1)


@pytest.mark.parametrize(
    ("num_retries", "tries", "is_again"),
    [(None, 1, True), (None, 2, False), (0, 0, False), (5, 4, True), (5, 5, False)],
)
def test_retries_are_counted_by_the_deployment(
    num_retries: int | None, tries: int, is_again: bool
) -> None:
    own = deployment(num_retries=num_retries)
    found = place(destination(Reason.RETRY, deployment("b"), deployment=own, tries=tries))
    assert found == ((MODEL, "native", tries + 1) if is_again else ("b", "native", 0))


def test_too_few_lines_for_a_batch_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAIFormat, "limits", Limits(lines=9, bytes=99, minimum_lines=4))
    assert place(destination(Reason.RETRY)) == (MODEL, "direct", 1)
    counts = {Reason.RETRY: 2, Reason.EXPIRED: 2}
    assert place(destination(Reason.RETRY, counts=counts)) == (MODEL, "native", 1)


@pytest.mark.parametrize(
    ("lane", "hours", "found"),
    [
        ("native", 1, (MODEL, "native", 1)),
        ("direct", 60, (MODEL, "direct", 1)),
        ("auto", 60, (MODEL, "native", 1)),
    ],
)
def test_the_deployments_lane_is_kept(lane: Any, hours: float, found: tuple[str, str, int]) -> None:
    assert place(destination(Reason.RETRY, deployment=deployment(lane=lane), hours=hours)) == found


def test_the_batchs_lane_goes_before_the_deployments() -> None:
    own = deployment(lane="direct")
    assert place(destination(Reason.RETRY, deployment=own, batch={"lane": "native"})) == (
        MODEL,
        "native",
        1,
    )


def test_after_many_rounds_lines_are_called() -> None:
    assert place(destination(Reason.EXPIRED, round=MOST_NATIVE_ROUNDS)) == (MODEL, "direct", 0)
    forced = deployment(lane="native")
    assert destination(Reason.EXPIRED, deployment=forced, round=MOST_NATIVE_ROUNDS) is None


# ---- Fallbacks


def test_the_next_fallback_is_asked_and_the_rest_come_after_it() -> None:
    found = destination(Reason.REFUSED, deployment("b"), deployment("c"), deployment("d"))
    assert place(found) == ("b", "native", 0)
    assert found
    assert [each.name for each in found.fallbacks] == ["c", "d"]


@pytest.mark.of("perplexity")
def test_siblings_are_asked_where_the_deployment_failed_and_not_where_the_line_did() -> None:
    sibling, other = deployment(provider="perplexity"), deployment("b")
    assert place(destination(Reason.REFUSED, sibling, other)) == ("b", "native", 0)
    for reason in (Reason.SHARD_REFUSED, Reason.RETRY):
        assert place(destination(reason, sibling, other, tries=2)) == (MODEL, "direct", 0)


@pytest.mark.of("anthropic")
def test_a_fallback_without_a_lane_is_passed_over() -> None:
    unserved, chat = deployment("b", provider="unheard-of"), deployment("c", provider="anthropic")
    assert place(destination(Reason.REFUSED, unserved, chat)) == ("c", "native", 0)
    endpoint = "/v1/embeddings"
    assert destination(Reason.REFUSED, unserved, chat, endpoint=endpoint) is None


def test_where_there_is_nobody_lines_stay() -> None:
    assert destination(Reason.REFUSED) is None
    assert destination(Reason.SHARD_REFUSED) is None
    assert destination(Reason.RETRY, tries=2) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "cancelling", "cancelling_at": NOW},
        {"status": "completed"},
        {"status": "in_progress", "created_at": NOW - 99 * HOUR},
    ],
    ids=["cancelled", "final", "late"],
)
@pytest.mark.parametrize("reason", list(Reason))
def test_nothing_passes_on_where_the_batch_wants_no_more(
    reason: Reason, changes: dict[str, Any]
) -> None:
    hours = 0 if "created_at" in changes else 60
    assert destination(reason, deployment("b"), batch=changes, hours=hours) is None


# ---- The deadline

WISH = {"on_deadline": "finish_direct"}


def test_with_the_wish_to_finish_directly_lines_go_natively_whatever_the_window() -> None:
    assert place(destination(Reason.EXPIRED, batch=WISH, hours=12)) == (MODEL, "native", 0)


@pytest.mark.of("openrouter")
@pytest.mark.parametrize(("hours", "lane"), [(12, "direct"), (25, "direct"), (26, "native")])
def test_what_cannot_be_stopped_goes_natively_only_where_its_window_fits(
    hours: float, lane: str
) -> None:
    own = deployment(provider="openrouter")
    found = destination(Reason.EXPIRED, batch=WISH, hours=hours, deployment=own)
    assert place(found) == (MODEL, lane, 0)


@pytest.mark.of("openrouter")
def test_what_can_neither_be_stopped_nor_called_goes_while_its_results_are_waited_for() -> None:
    own = deployment(provider="openrouter", lane="native")
    assert place(destination(Reason.RETRY, hours=21, deployment=own)) == (MODEL, "native", 1)
    assert destination(Reason.RETRY, hours=20.9, deployment=own) is None


@pytest.mark.parametrize(
    ("window", "left", "lane"),
    [(24, 2, "direct"), (24, 2.01, "native"), (1, 30 / 60, "direct"), (1, 30.1 / 60, "native")],
)
def test_when_time_is_short_they_go_directly(window: float, left: float, lane: str) -> None:
    batch = {**WISH, "created_at": NOW - int((window - left) * HOUR)}
    assert place(destination(Reason.EXPIRED, batch=batch, hours=left)) == (MODEL, lane, 0)


def test_what_may_not_be_called_is_not_finished_directly() -> None:
    batch = {**WISH, "created_at": NOW - 23 * HOUR}
    forced = deployment(lane="native")
    assert destination(Reason.EXPIRED, batch=batch, hours=1, deployment=forced) is None
    fallback = deployment("b")
    found = destination(Reason.EXPIRED, fallback, batch=batch, hours=1, deployment=forced)
    assert place(found) == ("b", "direct", 0)
