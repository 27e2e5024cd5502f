"""What holds for every adapter of another protocol than OpenAI's, and the engine, on a real socket."""

from __future__ import annotations

import pytest

from local.simulator.client import SimulatorClient
from tests.unit.adapters.asked import choices, text_of
from tests.unit.adapters.cases import FEATURES, Feature
from tests.unit.simulated_calls import answer, call_to, stream


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-sonnet-4-5"),
        ("cohere", "command-r"),
        ("gemini", "gemini-2.5-flash"),
    ],
)
def test_a_feature_is_answered_the_same_in_one_piece_and_as_a_stream(
    simulator: SimulatorClient, provider: str, model: str, feature: Feature
) -> None:
    call = call_to(simulator, provider, model, feature.body)
    (whole,) = answer(call)["choices"]
    chunks = stream(call)
    assert text_of(chunks) == (whole["message"]["content"] or "")
    assert choices(chunks)[-1]["finish_reason"] == whole["finish_reason"]
