"""A batch that goes on with a request begins with what was answered there, and with what that cost."""

from __future__ import annotations

from nightmail.direct_outcome import answered, failed
from nightmail.errors import InvalidRequest
from nightmail.outcome import number_of, to_row
from nightmail.work_keys import answered_key

from tests.unit.planning import A_TOKEN, MODEL, Planning, a_line
from tests.unit.samples import BATCH_ID

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def answer(number: int) -> bytes:
    body = {"model": MODEL, "usage": USAGE, "nightmail": {"provider": "openai"}}
    return to_row(answered(number, body))


def begun(planning: Planning, rows: list[bytes]) -> None:
    """A batch of six lines, two in a chunk, that begins with these rows."""
    segment = planning.stores.objects.put(answered_key(BATCH_ID), b"".join(rows))
    planning.plan([a_line(number) for number in range(1, 7)], lane="direct", answered=segment)


def test_chunks_begin_with_their_answered_lines() -> None:
    planning = Planning(chunk_lines=2)
    refused = to_row(failed(4, InvalidRequest("Not so.")))
    begun(planning, [answer(1), answer(3), refused])
    assert [(chunk.completed, chunk.failed) for chunk in planning.chunks] == [
        (1, 0),
        (1, 1),
        (0, 0),
    ]
    logs = [planning.content(chunk.log).splitlines() for chunk in planning.chunks]
    assert [[number_of(row) for row in log] for log in logs] == [[1], [3, 4], []]
    assert planning.items("chunk") == [1, 2, 3]


def test_what_was_answered_is_billed_by_the_direct_price() -> None:
    planning = Planning(chunk_lines=2)
    begun(planning, [answer(1), answer(2)])
    (bill,) = planning.chunks[0].bills
    assert (bill.lines, bill.lane, bill.usage.input_tokens) == (2, "direct", 6)
    assert bill.cost.amount == 14 * A_TOKEN
