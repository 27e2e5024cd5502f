"""What mutmut found: the changes that no test noticed."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import ndiff
from functools import cache
from pathlib import Path

_GAPS = frozenset({"survived", "no tests"})
_RESULT = re.compile(r"\s+(?P<mutant>nightmail\.\S+): (?P<status>.+)")
# mutmut's names: x_<function> or xǁ<class>ǁ<method>, with a number behind it; it keeps all variants
# of a function in one file, beside the original.
_NAME = re.compile(r"(?P<original>x(?:ǁ(?P<owner>\w+)ǁ|_)(?P<function>\w+)__mutmut_)\d+")


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
    command = [str(mutmut), "results", "--all", "true"]
    ran = subprocess.run(command, cwd=stage, capture_output=True, text=True, check=True)
    found = filter(None, map(_RESULT.fullmatch, ran.stdout.splitlines()))
    return {match["mutant"]: match["status"] for match in found}


def summary(outcomes: Mapping[str, str]) -> str:
    counts = Counter(outcomes.values())
    return ", ".join(f"{count} {status}" for status, count in counts.most_common())


def survivors(stage: Path, outcomes: Mapping[str, str]) -> Iterator[Survivor]:
    for mutant, status in outcomes.items():
        if status in _GAPS:
            yield _survivor(stage, mutant)


def _survivor(stage: Path, mutant: str) -> Survivor:
    module, _, name = mutant.rpartition(".")
    match = _NAME.fullmatch(name)
    assert match, f"mutmut has other names now: {mutant}"
    variants = _variants(stage / "mutants" / "src" / f"{module.replace('.', '/')}.py")
    lines = list(ndiff(variants[f"{match['original']}orig"], variants[name]))
    place = module.removeprefix("nightmail.providers.")
    function = ".".join(filter(None, (place, match["owner"], match["function"])))
    return Survivor(function, _side(lines, "- "), _side(lines, "+ "))


@cache
def _variants(path: Path) -> dict[str, list[str]]:
    """The lines of every function in a file, by its name, which is not in them."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return {
        node.name: [
            line.replace(f"def {node.name}(", "def (")
            for line in lines[node.lineno - 1 : node.end_lineno]
        ]
        for node in functions
    }


def _side(diff: list[str], sign: str) -> str:
    return " ".join(" ".join(line[2:] for line in diff if line.startswith(sign)).split())
