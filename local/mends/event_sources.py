"""Event sources try again as AWS does, and tell when they give up.

ministack's table streams retry a failing batch for ever and do not know ReportBatchItemFailures;
its event bus invokes a function once, and drops an event whose function fails.

Replaces: services.lambda_svc._poll_dynamodb_streams, services.eventbridge._dispatch_to_lambda.
Uses: services.lambda_svc._iter_all_esms, _get_func_record_for_qualifier, _apply_filter_criteria,
_dynamodb_stream_positions, _esm_backoff_until, _send_ddb_stream_failure_record, _execute_function,
services.dynamodb._tables.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import dynamodb, eventbridge, lambda_svc

RETRY_SECONDS = 0.5

_failures: Counter[tuple[str, int]] = Counter()
_halved: dict[str, int] = {}


def _poll_streams() -> bool:
    """Hand every active mapping its next batch; whether any moved on."""
    moved = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            moved = _poll(mapping) or moved
    return moved


def _poll(mapping: dict[str, Any]) -> bool:
    table = _table_of(mapping)
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if table is None or function is None or not mapping.get("Enabled", True):
        return False
    if lambda_svc._esm_backoff_until.get(mapping["UUID"], 0) > time.time():
        return False
    position = _position(mapping, table)
    size = _halved.get(mapping["UUID"]) or int(mapping.get("BatchSize") or 100)
    records = dynamodb.stream_records_since(table, position, size)
    if not records:
        return False
    wanted = lambda_svc._apply_filter_criteria(records, mapping)
    done = _deliver(mapping, function, wanted, position) if wanted else len(records)
    # A whole delivery moves past the filtered records too.
    step = len(records) if done >= len(wanted) else records.index(wanted[done])
    lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position + step
    return step > 0


def _table_of(mapping: dict[str, Any]) -> str | None:
    arn = mapping.get("EventSourceArn", "")
    if ":dynamodb:" not in arn or "/stream/" not in arn:
        return None
    name: str = arn.split("/")[1]
    table = dynamodb._tables.get(name)
    return name if table and table.get("LatestStreamArn") == arn else None


def _position(mapping: dict[str, Any], table: str) -> int:
    horizon: int = dynamodb.stream_start_position(table)
    positions = lambda_svc._dynamodb_stream_positions
    if mapping["UUID"] not in positions:
        from_start = mapping.get("StartingPosition") == "TRIM_HORIZON"
        positions[mapping["UUID"]] = horizon if from_start else dynamodb.stream_end_position(table)
    position: int = max(horizon, positions[mapping["UUID"]])
    return position


def _deliver(
    mapping: dict[str, Any], function: dict[str, Any], records: list[dict[str, Any]], position: int
) -> int:
    """Invoke the function with the records; how many of them need no further try."""
    result = lambda_svc._execute_function(function, {"Records": records})
    done = _accepted(mapping, result, records)
    if done == len(records):
        mapping["LastProcessingResult"] = "OK"
        _halved.pop(mapping["UUID"], None)
        return done
    if result.get("error") and mapping.get("BisectBatchOnFunctionError"):
        _halved[mapping["UUID"]] = max(1, len(records) // 2)
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    attempt = (mapping["UUID"], position + done)
    _failures[attempt] += 1
    attempts = mapping.get("MaximumRetryAttempts")
    if attempts is None or attempts < 0 or _failures[attempt] <= attempts:
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + RETRY_SECONDS
        return done
    del _failures[attempt]
    return done + _give_up(mapping, function, records[done:], result)


def _accepted(
    mapping: dict[str, Any], result: dict[str, Any], records: list[dict[str, Any]]
) -> int:
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return len(records)
    failed = [
        item.get("itemIdentifier")
        for item in (result.get("body") or {}).get("batchItemFailures") or []
    ]
    numbers = [str(record["dynamodb"]["SequenceNumber"]) for record in records]
    return min(
        (numbers.index(number) for number in failed if number in numbers), default=len(records)
    )


def _give_up(
    mapping: dict[str, Any],
    function: dict[str, Any],
    records: list[dict[str, Any]],
    result: dict[str, Any],
) -> int:
    """Tell the failure destination of the batch that is discarded; how many records that is."""
    lambda_svc._send_ddb_stream_failure_record(
        mapping, function, records, mapping["EventSourceArn"], result, "RetryAttemptsExhausted"
    )
    return len(records)


def _dispatch_to_lambda(arn: str, payload: str) -> None:
    """Invoke a rule's function asynchronously: two more tries, then its dead-letter queue."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def apply() -> None:
    lambda_svc._poll_dynamodb_streams = _poll_streams
    eventbridge._dispatch_to_lambda = _dispatch_to_lambda
