"""The benches run, with few rounds and without the peers: their figures are nobody's business here."""

from __future__ import annotations

import pytest

from bench import client, converters, exchanges, first_token, handler, many, prices, race, size
from bench.racer import Racer
from bench.upstream import running_upstream


@pytest.fixture(autouse=True)
def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "has_peers", lambda: False)


def test_many_prompts_are_measured_and_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many.main(["--prompts", "20", "--few", "5", "--rounds", "1", "--milliseconds", "0"])

    shown = capsys.readouterr().out
    assert "| nightmail.batch_completion |" in shown
    assert "| a loop over httpx " in shown
    assert "make bench-setup" in shown
    assert "litellm.batch_completion" not in shown


def test_every_loser_of_a_race_is_seen_to_be_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    race.main(["--rounds", "1"])

    shown = capsys.readouterr().out
    (row,) = (line for line in shown.splitlines() if "batch_completion_models" in line)
    assert "4 of 4" in row


def test_who_never_asked_the_fastest_has_added_what_it_would_have_saved() -> None:
    with running_upstream() as url, client.running_clients("bare_aiohttp") as clients:
        racer = Racer("slow", clients["bare_aiohttp"], "first_token", url, [(150,)])
        cost = racer.run()

    assert cost.seconds > 0
    assert racer.added == [cost.seconds]


def test_every_providers_converters_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    converters.main(["--calls", "1", "--words", "5", "--rounds", "1"])

    shown = capsys.readouterr().out
    for provider in exchanges.providers():
        assert f"| {provider} " in shown


def test_a_call_in_the_function_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    handler.main(["--calls", "2", "--rounds", "1"])

    assert "| the function of /chat/completions " in capsys.readouterr().out


def test_the_first_price_and_the_others_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    prices.main(["--lines", "10", "--rounds", "1"])

    shown = capsys.readouterr().out
    assert "| compiled " in shown
    assert "| gpt-5-mini " in shown


@pytest.mark.slow
def test_first_tokens_are_measured_alone_and_in_races_whose_losers_are_cut_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first_token.main(["--rounds", "1"])

    alone, raced = capsys.readouterr().out.split("races")
    for way in ("nightmail, the library", "the function of /chat/completions", "the local cloud"):
        assert way in alone
        (row,) = (line for line in raced.splitlines() if way in line)
        assert "4 of 4" in row


@pytest.mark.slow
def test_what_a_batch_asks_of_aws_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    size.main(["direct", "--lines", "20", "--yardstick"])

    shown = capsys.readouterr().out
    assert "| run_chunk s3 PutObject " in shown
    assert "| finalize_batch " in shown
