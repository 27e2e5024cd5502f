"""The adapters that the suite runs over: those of the providers that are here and have samples.

A module `<folder>_samples` has them under the folder's name in capitals, and `COMPATIBLE` those of
servers that speak OpenAI's protocol.
"""

from __future__ import annotations

from pathlib import Path

from nightmail.providers.registry import has_direct_lane

from tests.unit.adapters.cases import AdapterSamples
from tests.unit.adapters.openai_samples import COMPATIBLE
from tests.unit.folders import attributes_in

_FOUND: list[AdapterSamples] = attributes_in(Path(__file__).parent, "samples")
ADAPTERS: tuple[AdapterSamples, ...] = (
    *_FOUND,
    *(samples for samples in COMPATIBLE if has_direct_lane(samples.provider)),
)
