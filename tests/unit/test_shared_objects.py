"""The bucket as a provider shares it with us."""

from __future__ import annotations

import pytest
from nightmail import wiring
from nightmail.deployment import Deployment
from nightmail.errors import NotFound
from nightmail.stores.multipart import PART_BYTES
from nightmail.stores.objects import ObjectStore
from nightmail.stores.shared_objects import SharedObjects

from tests.unit.conftest import ENVIRONMENT


@pytest.fixture
def shared(objects: ObjectStore) -> SharedObjects:
    return SharedObjects(objects)


@pytest.mark.parametrize("size", [0, 10, PART_BYTES + 10])
def test_what_is_written_in_pieces_is_read_from_any_place(shared: SharedObjects, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    pieces = [content[start : start + 1_000_000] for start in range(0, size, 1_000_000)]
    shared.write("work/a/bedrock/1", pieces)
    for start in (0, size // 2, size):
        assert b"".join(shared.read("work/a/bedrock/1", start)) == content[start:]


def test_an_object_is_told_from_none(shared: SharedObjects) -> None:
    assert not shared.has("work/a")
    with pytest.raises(NotFound):
        list(shared.read("work/a", 0))
    shared.write("work/a", [b"1"])
    shared.write("work/a", [b"2"])
    assert shared.has("work/a")
    assert b"".join(shared.read("work/a", 0)) == b"2"


def test_a_provider_is_told_where_it_lies(shared: SharedObjects) -> None:
    assert shared.uri("work/a/") == f"s3://{ENVIRONMENT['BUCKET_NAME']}/work/a/"


@pytest.mark.of("bedrock")
@pytest.mark.usefixtures("aws")
def test_functions_open_jobs_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BATCH_ROLE_ARN", "arn:aws:iam::123456789012:role/jobs")
    deployment = Deployment(name="m", provider="bedrock", model="anthropic.claude")
    assert wiring.provider_of(deployment).is_tagged
