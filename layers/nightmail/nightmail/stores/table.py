"""The one DynamoDB table: `pk` and `sk`, every item a pydantic model with its own fields beside them.

Reads are consistent. AWS's errors come out as StorageUnavailable or WriteConflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from nightmail.errors import StorageUnavailable, WriteConflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

_serialize = TypeSerializer().serialize
_CONFLICTS = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
_CANCELLED_BY_CONFLICT = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_MAX_SORT_KEY_BYTES = 1024  # DynamoDB refuses a longer one as an error


@dataclass(frozen=True)
class Key:
    """Where an item lies."""

    pk: str
    sk: str


@dataclass(frozen=True)
class Condition:
    """A condition expression; names and values are written `#name` and `:name`."""

    expression: str
    values: Mapping[str, Any] = field(default_factory=dict)


ABSENT = Condition("attribute_not_exists(#pk)")


@dataclass(frozen=True)
class Put:
    """One write of a transaction: the whole item."""

    key: Key
    item: Mapping[str, Any]
    condition: Condition | None = None


def _plain(attribute: Mapping[str, Any]) -> Any:
    """One value as DynamoDB writes it. All our numbers are integers, and we keep no sets.

    boto3's TypeDeserializer makes decimals of them, and much of a step's time goes into that.
    """
    ((kind, value),) = attribute.items()
    if kind == "M":
        return {name: _plain(entry) for name, entry in value.items()}
    if kind == "L":
        return [_plain(entry) for entry in value]
    if kind == "NULL":
        return None
    return int(value) if kind == "N" else value


def from_attributes(attributes: Mapping[str, Any]) -> Item:
    """An item as DynamoDB (or its stream) writes it, as plain Python values."""
    return {name: _plain(value) for name, value in attributes.items()}


def _to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in item.items() if value is not None}


def _names(expression: str) -> dict[str, str]:
    words = expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
    return {word: word[1:] for word in words if word.startswith("#")}


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _is_conflict(error):
            raise WriteConflict("Somebody else wrote this first; read it again.") from error
        raise StorageUnavailable("The table did not answer; try again.") from error
    except BotoCoreError as error:
        raise StorageUnavailable("The table did not answer; try again.") from error


def _is_conflict(error: ClientError) -> bool:
    """A transaction is cancelled by conflicts, but by throttling too."""
    reasons = error.response.get("CancellationReasons", [])
    return error.response["Error"]["Code"] in _CONFLICTS or any(
        reason.get("Code") in _CANCELLED_BY_CONFLICT for reason in reasons
    )


class Table:
    """Get, put, delete and query by key, with conditions."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, key: Key) -> Item | None:
        """The item, or None."""
        if len(key.sk.encode()) > _MAX_SORT_KEY_BYTES:
            return None
        with _storage_errors():
            answer = self._client.get_item(
                TableName=self._name, Key=_to_attributes(vars(key)), ConsistentRead=True
            )
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def put(self, key: Key, item: Mapping[str, Any], condition: Condition | None = None) -> None:
        """Write the whole item. Raises WriteConflict where the condition does not hold."""
        with _storage_errors():
            self._client.put_item(**self._put(Put(key, item, condition)))

    def put_together(self, puts: Sequence[Put]) -> None:
        """Write all or none, at most 100. Raises WriteConflict where a condition does not hold."""
        if len(puts) == 1:  # a transaction costs twice as much
            self.put(puts[0].key, puts[0].item, puts[0].condition)
            return
        with _storage_errors():
            self._client.transact_write_items(
                TransactItems=[{"Put": self._put(put)} for put in puts]  # type: ignore[typeddict-item]
            )

    def delete(self, key: Key, condition: Condition | None = None) -> None:
        """Remove the item; one that is gone already is no error."""
        with _storage_errors():
            self._client.delete_item(
                TableName=self._name,
                Key=_to_attributes(vars(key)),
                **self._condition(condition),
            )

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        after: str | None = None,
        newest_first: bool = False,
        page: int = 1000,
    ) -> Iterator[Item]:
        """Items of `pk` whose `sk` starts with `prefix`, in order of `sk`, read page by page.

        `after` is an `sk`: the items behind it, in the direction of reading.
        """
        start: dict[str, Any] = {}
        if after:
            behind = after.encode()[:_MAX_SORT_KEY_BYTES].decode(errors="ignore")
            start = {"ExclusiveStartKey": _to_attributes({"pk": pk, "sk": behind})}
        while True:
            with _storage_errors():
                answer = self._client.query(
                    TableName=self._name,
                    KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)",
                    ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
                    ExpressionAttributeValues=_to_attributes({":pk": pk, ":prefix": prefix}),
                    ConsistentRead=True,
                    ScanIndexForward=not newest_first,
                    Limit=page,
                    **start,
                )
            yield from (from_attributes(attributes) for attributes in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _put(self, put: Put) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "Item": _to_attributes({**put.item, **vars(put.key)}),
            **self._condition(put.condition),
        }

    @staticmethod
    def _condition(condition: Condition | None) -> dict[str, Any]:
        if condition is None:
            return {}
        written: dict[str, Any] = {
            "ConditionExpression": condition.expression,
            "ExpressionAttributeNames": _names(condition.expression),
        }
        if condition.values:
            written["ExpressionAttributeValues"] = _to_attributes(
                {f":{name}": value for name, value in condition.values.items()}
            )
        return written
