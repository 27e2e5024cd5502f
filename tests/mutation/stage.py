"""A copy of the package and of its converters' tests, laid out as mutmut wants them: under `src`."""

from __future__ import annotations

import shutil
from pathlib import Path

_SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = [
  "src/nightmail/providers/anthropic/*.py",
  "src/nightmail/providers/cohere/*.py",
  "src/nightmail/providers/conversion/*.py",
  "src/nightmail/providers/openai_protocol/*.py",
]
# The native lane, which is I/O.
do_not_mutate = [
  "src/nightmail/providers/anthropic/batches.py",
  "src/nightmail/providers/openai_protocol/batches.py",
]
# Prose: tests look for what a message names, not for its words.
do_not_mutate_patterns = ['"[^"]*[a-z,.] [a-z][^"]*"']
also_copy = ["conftest.py", "local"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--import-mode=importlib"]
pytest_add_cli_args_test_selection = ["tests/unit"]
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = [".", "src"]
"""
# A mutant lives or dies the same way every time.
_CONFTEST = """\
from hypothesis import settings

settings.register_profile(
    "mutation", derandomize=True, max_examples=20, deadline=None, database=None
)
settings.load_profile("mutation")
"""
_FOLDERS = ("adapters", "native")
_TESTS = (
    *("test_anthropic_*.py", "test_cohere_*.py", "test_openai_*.py"),
    *(f"{folder}/*.py" for folder in _FOLDERS),
)
# Tests with this in them speak over sockets.
_SOCKETS = "from local."


def set_up(root: Path, stage: Path) -> None:
    """Make `stage` anew from the project in `root`."""
    shutil.rmtree(stage, ignore_errors=True)
    package = Path("nightmail")
    cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "layers" / "nightmail" / package, stage / "src" / package, ignore=cache)
    # Samples of a provider may be written by its page of the simulator.
    shutil.copytree(root / "local", stage / "local", ignore=cache)
    unit = Path("tests", "unit")
    for folder in _FOLDERS:
        (stage / unit / folder).mkdir(parents=True)
    for path in (*_helpers(root), *_converter_tests(root / unit)):
        shutil.copy(path, stage / path.relative_to(root))
    (stage / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
    (stage / "conftest.py").write_text(_CONFTEST, encoding="utf-8")


def _helpers(root: Path) -> list[Path]:
    """What tests share; a conftest knows the whole project."""
    shared = [*root.glob("tests/*.py"), *root.glob("tests/unit/*.py")]
    return [path for path in shared if not path.name.startswith(("test_", "conftest"))]


def _converter_tests(unit: Path) -> list[Path]:
    found = [path for pattern in _TESTS for path in unit.glob(pattern)]
    return [path for path in found if not _speaks_over_sockets(path)]


def _speaks_over_sockets(path: Path) -> bool:
    return path.name.startswith("test_") and _SOCKETS in path.read_text(encoding="utf-8")
