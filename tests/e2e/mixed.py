"""Requests of a buyer for many models in one file; and whether they were answered, and billed, right."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from local.simulator.answers import digest
from local.simulator.embeddings import rows as vectors_of
from tests.e2e.driver import Desk, Journey, Json
from tests.e2e.market import CHAT, EMBEDDINGS, WARES, Ware, name_of

LANES = {"batch": "native", "call": "direct"}
"""The lanes that the simulator bills, in our words."""

STRANGE = [
    "q-{}",
    "007 {}",
    ' "{}" ',
    "\\{}\\n",
    "{}\n\t\r\u0000\u001f\u007f",
    "<é e\u0301 {}>",
    "{} 夜のメール 🦉\u200d",
    "\u202e{}\u2028\u2029\ufeff",
    "{{}} {} %s $1 'x' --",
    "/../{}?a=b&c#d",
]


def strange(number: int) -> str:
    """A custom_id that no other number has."""
    return STRANGE[number % len(STRANGE)].format(number)


def line(desk: Desk, ware: str, number: int, order: str = "", **parameters: Any) -> Json:
    """A request that nobody else makes. `order` is a marker for the simulator."""
    url = WARES[ware].endpoint if ware in WARES else CHAT
    text = f"{desk.tenant.owner} asks no. {number}. {order}".rstrip()
    chat = {"messages": [{"role": "user", "content": text}]}
    body = {
        "model": name_of(desk.tenant, ware),
        **({"input": text} if url == EMBEDDINGS else chat),
        **parameters,
    }
    return {"custom_id": strange(number), "method": "POST", "url": url, "body": body}


def assert_answered(journey: Journey) -> None:
    """Each answer is that of its own request, whoever gave it."""
    asked = {each["custom_id"]: each for each in journey.requests}
    for answer in journey.output:
        assert (answer["error"], answer["response"]["status_code"]) == (None, 200)
        _assert_fits(answer, asked[answer["custom_id"]])
    others = [_vector(each) for each in journey.output if _is_vector_of(each, "cohere")]
    assert len(set(map(str, others))) == len(others), "two requests got the same vector"


def _assert_fits(answer: Json, request: Json) -> None:
    """A chat is about the question; a vector of OpenAI's is a function of the request."""
    if request["url"] == CHAT:
        content = answer["response"]["body"]["choices"][0]["message"]["content"]
        assert _question(request) in content
    elif _is_vector_of(answer, "openai"):
        (row,) = vectors_of(request["body"], digest(request["body"]))
        assert _vector(answer) == row["embedding"]


def _question(request: Json) -> str:
    """Without the order."""
    (message,) = request["body"]["messages"]
    question, _, _ = str(message["content"]).partition(" [[")
    return question


def _is_vector_of(answer: Json, provider: str) -> bool:
    is_vector = answer["response"]["body"]["object"] == "list"
    return is_vector and bool(answer["nightmail"]["provider"] == provider)


def _vector(answer: Json) -> list[float]:
    (row,) = answer["response"]["body"]["data"]
    found: list[float] = row["embedding"]
    return found


def again(desk: Desk, journey: Journey) -> Counter[str]:
    """By lane, how many more answers the providers have billed than the batch has."""
    billed = Counter[str]()
    for row in desk.billed():
        billed[LANES[row["lane"]]] += row["answers"]
    billed.subtract(Counter(each["nightmail"]["lane"] for each in journey.output))
    return billed


def assert_charged(desk: Desk, journey: Journey) -> None:
    """What the batch is said to cost is what the simulator has billed, by model and by lane.

    Of calls that had to be made again, the batch has one each.
    """
    booked = {(each["model"], each["lane"]): each for each in journey.details["usage"]}
    bills = {
        (name_of(desk.tenant, _name(desk, row)), LANES[row["lane"]]): row for row in desk.billed()
    }
    assert booked.keys() == bills.keys()
    for key, row in bills.items():
        if key[1] == "direct" and row["answers"] > booked[key]["lines"]:
            assert booked[key]["cost"] < float(_ware(desk, row).cost(row))
        else:
            _assert_charged(desk, booked[key], row)
    if not again(desk, journey)["direct"]:
        _assert_charged_in_all(desk, journey.details, list(bills.values()))


def _assert_charged(desk: Desk, booked: Json, row: Json) -> None:
    figures = ("lines", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    billed = ("answers", "input", "cached", "output", "reasoning")
    assert [booked[name] for name in figures] == [row[name] for name in billed]
    assert booked["cost"] == float(_ware(desk, row).cost(row))


def _assert_charged_in_all(desk: Desk, details: Json, rows: list[Json]) -> None:
    cost = sum((_ware(desk, row).cost(row) for row in rows), Decimal(0))
    at_once = sum((_ware(desk, row).cost({**row, "lane": "call"}) for row in rows), Decimal(0))
    told = (details["cost"], details["synchronous_cost"], details["saved"])
    assert told == (float(cost), float(at_once), float(at_once - cost))


def assert_summed(journey: Journey) -> None:
    """What the batch is said to cost is the sum over its lines, by model and by lane."""
    sums: dict[tuple[str, str], Decimal] = {}
    for answer in journey.output:
        details = answer["nightmail"]
        key = answer["response"]["body"]["model"], details["lane"]
        sums[key] = sums.get(key, Decimal(0)) + Decimal(repr(details["cost"]))
    booked = {(each["model"], each["lane"]): each["cost"] for each in journey.details["usage"]}
    assert booked == {key: float(cost) for key, cost in sums.items()}
    assert journey.details["cost"] == float(sum(sums.values(), Decimal(0)))


def _name(desk: Desk, row: Json) -> str:
    """Whose row it is among what was billed."""
    found = {(each.provider, each.model_for(desk.tenant)): name for name, each in WARES.items()}
    return found[row["provider"], row["model"]]


def _ware(desk: Desk, row: Json) -> Ware:
    return WARES[_name(desk, row)]
