"""The list of what survives `make mutate` is one that the tool can read."""

from __future__ import annotations

import re
from pathlib import Path

from tests.mutation.reasons import Reason, read_reasons
from tests.mutation.survivors import Survivor

ROOT = Path(__file__).resolve().parents[2]
NOTE = (ROOT / "docs" / "design" / "0014-mutation.md").read_text(encoding="utf-8")
PROVIDERS = ROOT / "layers" / "nightmail" / "nightmail" / "providers"


def test_every_item_of_the_note_is_read_and_has_a_reason() -> None:
    items = re.findall(r"^- .*$", NOTE, re.MULTILINE)
    assert len(items) == len({reason.function for reason in read_reasons(NOTE)})
    assert all(re.search(r"`\. [A-Z].*\.$", item) for item in items)


def test_every_function_of_the_note_is_there() -> None:
    modules = {
        ".".join(path.relative_to(PROVIDERS).with_suffix("").parts): path.read_text("utf-8")
        for path in PROVIDERS.glob("*/*.py")
    }
    for reason in read_reasons(NOTE):
        provider, *places, function = reason.function.split(".")
        module = ".".join((provider, *places[:1]))
        texts = modules.values() if provider == "*" else [modules[module]]
        assert any(f"def {function}(" in text for text in texts), reason.function


def test_a_reason_fits_what_it_brings_and_nothing_else() -> None:
    mutant = Survivor("cohere.answer._count", "0 < value", "0 <= value")
    assert Reason("*._count", "0 <= value").fits(mutant)
    assert Reason("cohere.answer._count", "<=").fits(mutant)
    assert not Reason("*._count", "value").fits(mutant)
    assert not Reason("*._count", ">=").fits(mutant)
    assert not Reason("openai.*", "<=").fits(mutant)
