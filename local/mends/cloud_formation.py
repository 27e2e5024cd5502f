"""Resources are what the template says of them.

A secret's `Ref` is its ARN on AWS, and its name in ministack, so that a policy for `!Ref Secret`
allows nothing; a table's TimeToLiveSpecification is forgotten.

Replaces: services.cloudformation.provisioners._RESOURCE_HANDLERS: "create" of AWS::DynamoDB::Table,
"create", "update" and "delete" of AWS::SecretsManager::Secret. Uses: services.dynamodb._update_ttl.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

_table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
_secret = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
_create_table = _table["create"]
_create_secret = _secret["create"]
_update_secret = _secret["update"]
_delete_secret = _secret["delete"]


def _table_with_time_to_live(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    created = _create_table(logical_id, properties, stack)
    specification = properties.get("TimeToLiveSpecification")
    if specification:
        enabled = str(specification.get("Enabled")).lower() == "true"
        wanted = {**specification, "Enabled": enabled}
        dynamodb._update_ttl({"TableName": created[0], "TimeToLiveSpecification": wanted})
    return created


def _secret_by_arn(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    _, attributes = _create_secret(logical_id, properties, stack)
    return attributes["Arn"], attributes


def _update_secret_by_arn(arn: str, *rest: Any, **options: Any) -> Any:
    _, attributes = _update_secret(_name(arn), *rest, **options)
    return attributes["Arn"], attributes


def _delete_secret_by_arn(arn: str, *rest: Any) -> None:
    _delete_secret(_name(arn), *rest)


def _name(arn: str) -> str:
    """A secret's ARN ends in its name and six more characters."""
    return arn.partition(":secret:")[2].rpartition("-")[0]


def apply() -> None:
    _table["create"] = _table_with_time_to_live
    _secret.update(
        create=_secret_by_arn, update=_update_secret_by_arn, delete=_delete_secret_by_arn
    )
