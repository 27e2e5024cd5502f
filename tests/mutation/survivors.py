"""What mutmut found: the changes that no test noticed."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KILLED = frozenset({"killed", "timeout"})
_RESULT = re.compile(r"\s+(?P<name>nightmail\.\S+): (?P<status>.+)")
# mutmut's names: x_<function> or xǁ<class>ǁ<method>, with a number behind it.
_NAME = re.compile(
    r"nightmail\.providers\.(?P<module>[\w.]+)\.x(?:ǁ(?P<owner>\w+)ǁ|_)(?P<function>\w+)__mutmut_\d+"
)


@dataclass(frozen=True)
class Survivor:
    """One change in `function`, as `cohere.answer._count`; spaces and line breaks are one space."""

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.function}\n    - {self.before}\n    + {self.after}"


def results(stage: Path, mutmut: Path) -> dict[str, str]:
    """Every mutant's name and what became of it."""
    lines = _run(stage, mutmut, "results", "--all", "true").splitlines()
    found = filter(None, map(_RESULT.fullmatch, lines))
    return {match["name"]: match["status"] for match in found}


def summary(outcomes: dict[str, str]) -> str:
    counts = Counter(outcomes.values())
    return ", ".join(f"{count} {status}" for status, count in counts.most_common())


def survivors(stage: Path, mutmut: Path, outcomes: dict[str, str]) -> Iterator[Survivor]:
    for name, status in outcomes.items():
        if status not in _KILLED:
            diff = _run(stage, mutmut, "show", name).splitlines()
            yield Survivor(_function(name), _side(diff, "-"), _side(diff, "+"))


def _function(name: str) -> str:
    match = _NAME.fullmatch(name)
    assert match, f"mutmut has other names now: {name}"
    return ".".join(filter(None, (match["module"], match["owner"], match["function"])))


def _side(diff: list[str], sign: str) -> str:
    lines = [line[1:] for line in diff if line.startswith(sign) and line[:3] != sign * 3]
    return " ".join(" ".join(lines).split())


def _run(stage: Path, mutmut: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [mutmut, *arguments], cwd=stage, capture_output=True, text=True, check=True
    )
    return ran.stdout
