"""The table: conditions, transactions, queries, errors."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber
from nightmail.errors import StorageUnavailable, WriteConflict
from nightmail.stores.table import ABSENT, Condition, Key, Put, Table, from_attributes

PRESENT = Condition("attribute_exists(#pk)")
HERE = Key("OWNER#a", "THING#1")
THERE = Key("OWNER#a", "THING#2")


def test_an_item_comes_back_as_it_was_written_without_its_nulls(table: Table) -> None:
    item = {"text": "é", "number": 7, "flag": True, "list": [1, {"deep": None}], "none": None}

    table.put(HERE, item)

    assert table.get(HERE) == {
        "pk": "OWNER#a",
        "sk": "THING#1",
        "text": "é",
        "number": 7,
        "flag": True,
        "list": [1, {"deep": None}],
    }


def test_a_number_comes_back_as_an_integer() -> None:
    assert type(from_attributes({"n": {"N": "7"}})["n"]) is int


def test_what_is_not_there_is_none(table: Table) -> None:
    assert table.get(HERE) is None
    assert table.get(Key("OWNER#a", "x" * 5000)) is None


def test_of_two_writers_that_want_to_be_first_one_is(table: Table) -> None:
    table.put(HERE, {"by": 1}, ABSENT)

    with pytest.raises(WriteConflict):
        table.put(HERE, {"by": 2}, ABSENT)

    assert (table.get(HERE) or {})["by"] == 1


def test_a_condition_on_values_is_heeded(table: Table) -> None:
    table.put(HERE, {"version": 1})
    first = Condition("#version = :version", {"version": 1})

    table.put(HERE, {"version": 2}, first)

    with pytest.raises(WriteConflict):
        table.put(HERE, {"version": 3}, first)


def test_what_was_deleted_cannot_be_replaced(table: Table) -> None:
    table.put(HERE, {})
    table.delete(HERE)
    table.delete(HERE)

    with pytest.raises(WriteConflict):
        table.put(HERE, {}, PRESENT)
    with pytest.raises(WriteConflict):
        table.delete(HERE, PRESENT)


def test_writes_together_happen_all_or_none(table: Table) -> None:
    table.put(THERE, {"by": 1})

    with pytest.raises(WriteConflict):
        table.put_together([Put(HERE, {"by": 2}), Put(THERE, {"by": 2}, ABSENT)])

    assert table.get(HERE) is None
    table.put_together([Put(HERE, {"by": 3}), Put(THERE, {"by": 3}, PRESENT)])
    assert [item["by"] for item in table.query("OWNER#a", "THING#")] == [3, 3]


def test_a_query_reads_every_page_in_either_direction(table: Table) -> None:
    for number in range(7):
        table.put(Key("OWNER#a", f"THING#{number}"), {"number": number})
    table.put(Key("OWNER#a", "OTHER#1"), {})
    table.put(Key("OWNER#b", "THING#1"), {})

    def numbers(**how: bool | str) -> list[int]:
        after = str(how["after"]) if "after" in how else None
        newest_first = bool(how.get("newest_first"))
        found = table.query("OWNER#a", "THING#", after=after, newest_first=newest_first, page=3)
        return [item["number"] for item in found]

    assert numbers() == [0, 1, 2, 3, 4, 5, 6]
    assert numbers(newest_first=True) == [6, 5, 4, 3, 2, 1, 0]
    assert numbers(after="THING#4") == [5, 6]
    assert numbers(after="THING#4", newest_first=True) == [3, 2, 1, 0]
    assert numbers(after="THING#44") == [5, 6]
    assert numbers(after="THING#" + "9" * 5000) == []


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["None", "ConditionalCheckFailed"], WriteConflict),
        (["TransactionConflict", "None"], WriteConflict),
        (["ThrottlingError", "None"], StorageUnavailable),
    ],
)
def test_a_transaction_cancelled_by_throttling_is_no_conflict(
    table: Table, reasons: list[str], error: type[Exception]
) -> None:
    client = boto3.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": [{"Code": reason} for reason in reasons]},
        )
        with pytest.raises(error):
            Table(client, "any").put_together([Put(HERE, {}), Put(THERE, {})])


def test_one_write_alone_is_no_transaction_and_has_its_condition(table: Table) -> None:
    client = boto3.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_response("put_item", {})
        Table(client, "any").put_together([Put(HERE, {})])

    table.put_together([Put(HERE, {"by": 1}, ABSENT)])
    with pytest.raises(WriteConflict):
        table.put_together([Put(HERE, {"by": 2}, ABSENT)])
    assert [item["by"] for item in table.query("OWNER#a", "THING#")] == [1]


def test_a_table_that_does_not_answer_is_a_storage_error_that_tells_no_internals(
    aws: None,
) -> None:
    missing = Table(boto3.client("dynamodb"), "no-such-table")

    for call in (missing.get, missing.delete):
        with pytest.raises(StorageUnavailable) as refusal:
            call(HERE)
        assert "no-such-table" not in refusal.value.message
