"""A table and a bucket in memory: what the stores ask of boto3's clients, a hundred times as fast as moto.

For tests that live thousands of lives. `test_memory.py` holds them to moto.
"""

# ruff: noqa: N803 - the names are boto3's

from __future__ import annotations

import hashlib
import io
import threading
from typing import Any, NoReturn

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

Json = dict[str, Any]


def _refuse(code: str, operation: str) -> NoReturn:
    raise ClientError({"Error": {"Code": code, "Message": code}}, operation)


class MemoryDynamo:
    """Items of one table by `pk` and `sk`, in DynamoDB's attribute values."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Json] = {}
        self._writing = threading.Lock()

    def get_item(self, *, Key: Json, **_: Any) -> Json:
        item = self._items.get(_place(Key))
        return {"Item": item} if item else {}

    def put_item(self, *, Item: Json, **condition: Any) -> None:
        with self._writing:
            self._check(self._items.get(_place(Item), {}), condition)
            self._items[_place(Item)] = Item

    def transact_write_items(self, *, TransactItems: list[Json]) -> None:
        with self._writing:
            puts = [entry["Put"] for entry in TransactItems]
            for put in puts:
                self._check(self._items.get(_place(put["Item"]), {}), put)
            for put in puts:
                self._items[_place(put["Item"])] = put["Item"]

    def delete_item(self, *, Key: Json, **_: Any) -> None:
        self._items.pop(_place(Key), None)

    def query(self, *, ExpressionAttributeValues: Json, **_: Any) -> Json:
        pk = ExpressionAttributeValues[":pk"]["S"]
        prefix = ExpressionAttributeValues[":prefix"]["S"]
        found = [place for place in self._items if place[0] == pk and place[1].startswith(prefix)]
        return {"Items": [self._items[place] for place in sorted(found)]}

    @staticmethod
    def _check(item: Json, condition: Json) -> None:
        expression: str = condition.get("ConditionExpression", "")
        if expression and not any(
            _holds(term, item, condition) for term in expression.split(" OR ")
        ):
            _refuse("ConditionalCheckFailedException", "PutItem")


def _place(key: Json) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _holds(term: str, item: Json, condition: Json) -> bool:
    names = condition["ExpressionAttributeNames"]
    if term.startswith("attribute_not_exists("):
        return names[term[len("attribute_not_exists(") : -1]] not in item
    name, comparison, value = term.split(" ")
    assert comparison == "="
    return bool(item.get(names[name]) == condition["ExpressionAttributeValues"][value])


class MemoryS3:
    """Objects of one bucket, and the multipart uploads that will be some."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._begun = 0

    def get_object(self, *, Key: str, Range: str = "bytes=0-", **_: Any) -> Json:
        first, last = Range.removeprefix("bytes=").split("-")
        content = self._object(Key)[int(first) : int(last) + 1 if last else None]
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def get_paginator(self, _: str) -> MemoryS3:
        return self

    def paginate(self, *, Prefix: str, **_: Any) -> list[Json]:
        """A page of `list_objects_v2`."""
        found = sorted(key for key in self.objects if key.startswith(Prefix))
        return [{"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in found]}]

    def head_object(self, *, Key: str, **_: Any) -> Json:
        content = self._object(Key)
        return {"ContentLength": len(content), "ETag": _etag(content)}

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str = "", **_: Any) -> None:
        if IfNoneMatch == "*" and Key in self.objects:
            _refuse("PreconditionFailed", "PutObject")
        self.objects[Key] = Body

    def delete_objects(self, *, Delete: Json, **_: Any) -> Json:
        for entry in Delete["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {}

    def create_multipart_upload(self, **_: Any) -> Json:
        self._begun += 1
        upload_id = f"upload-{self._begun}"
        self._uploads[upload_id] = {}
        return {"UploadId": upload_id}

    def upload_part(self, *, UploadId: str, PartNumber: int, Body: bytes, **_: Any) -> Json:
        self._upload(UploadId)[PartNumber] = Body
        return {"ETag": _etag(Body)}

    def complete_multipart_upload(
        self, *, Key: str, UploadId: str, MultipartUpload: Json, **_: Any
    ) -> None:
        parts, content = self._upload(UploadId), b""
        for part in MultipartUpload["Parts"]:
            body = parts.get(part["PartNumber"], b"")
            if _etag(body) != part["ETag"]:
                _refuse("InvalidPart", "CompleteMultipartUpload")
            content += body
        self.objects[Key] = content
        del self._uploads[UploadId]

    def forget_uploads(self) -> None:
        """As if somebody had completed or aborted them all."""
        self._uploads = {}

    def _object(self, key: str) -> bytes:
        if key not in self.objects:
            _refuse("NoSuchKey", "GetObject")
        return self.objects[key]

    def _upload(self, upload_id: str) -> dict[int, bytes]:
        if upload_id not in self._uploads:
            _refuse("NoSuchUpload", "UploadPart")
        return self._uploads[upload_id]


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'
