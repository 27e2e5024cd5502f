"""What functions needed, as the REPORT lines of their logs tell it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.cloud import Cloud

_REPORT = re.compile(
    r"Duration: ([\d.]+) ms\s.*Memory Size: (\d+) MB\s+Max Memory Used: (\d+) MB", re.DOTALL
)


@dataclass
class Report:
    """One function's invocations. `peak_mb` is the most that any of its processes held."""

    memory_mb: int
    invocations: int = 0
    seconds: float = 0
    peak_mb: int = 0


def reports_of(gateway: Cloud) -> dict[str, Report]:
    """By the function's name."""
    logs = gateway.emulator.session().client("logs")
    prefix = f"/aws/lambda/{gateway.stack.name}-"
    reports: dict[str, Report] = {}
    for group in _log_groups(logs, prefix):
        for duration, memory, peak in _invocations(logs, group):
            report = reports.setdefault(group.removeprefix(prefix), Report(int(memory)))
            report.invocations += 1
            report.seconds += float(duration) / 1000
            report.peak_mb = max(report.peak_mb, int(peak))
    return reports


def _log_groups(logs: Any, prefix: str) -> Iterator[str]:
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in page["logGroups"]:
            yield group["logGroupName"]


def _invocations(logs: Any, group: str) -> Iterator[tuple[str, ...]]:
    """Milliseconds, size and peak in MB of each invocation."""
    pages = logs.get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, filterPattern="REPORT"):
        for event in page["events"]:
            if report := _REPORT.search(event["message"]):
                yield report.groups()
