"""What is refused reaches the official client's user as the error class that OpenAI's own would."""

from __future__ import annotations

import openai
import pytest
from nightmail import wiring

from tests.contract.api_gateway import ApiGateway
from tests.contract.client_calls import big_file, create
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life


def test_another_owner_sees_nothing_of_it(client: openai.OpenAI, other: openai.OpenAI) -> None:
    batch = create(client)

    assert list(other.batches.list()) == []
    assert list(other.files.list()) == []
    with pytest.raises(openai.NotFoundError) as unknown:
        other.batches.retrieve(batch.id)
    with pytest.raises(openai.NotFoundError):
        other.batches.cancel(batch.id)
    with pytest.raises(openai.NotFoundError):
        other.files.content(batch.input_file_id)
    with pytest.raises(openai.NotFoundError):
        other.files.delete(batch.input_file_id)
    assert unknown.value.body == {
        "message": f"No batch found with id '{batch.id}'.",
        "type": "invalid_request_error",
        "param": unknown.value.param,
        "code": None,
    }


def test_a_wrong_key_is_an_authentication_error(server: GatewayServer) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-wrong") as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.models.list()

    assert caught.value.code == "invalid_api_key"


def test_a_wrong_field_is_a_bad_request_that_names_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=("in.txt", b"{}"), purpose="batch")

    assert caught.value.param == "file"
    assert caught.value.request_id


def test_a_final_conflict_is_not_tried_again(
    client: openai.OpenAI, gateway: ApiGateway, life: Life
) -> None:
    batch = create(client)
    life.run("admin", batch.id)
    gateway.exchanges.clear()

    with pytest.raises(openai.ConflictError) as caught:
        client.batches.cancel(batch.id)

    assert "Cannot cancel a batch with status 'completed'." in str(caught.value)
    assert len(gateway.exchanges) == 1


def test_too_many_bytes_are_refused_once_and_point_to_uploads(
    client: openai.OpenAI, gateway: ApiGateway
) -> None:
    with pytest.raises(openai.APIStatusError, match="/uploads") as caught:
        client.files.create(file=("in.jsonl", big_file(5_000_000)), purpose="batch")

    assert caught.value.status_code == 413
    assert len(gateway.exchanges) == 1


def test_a_crash_is_an_internal_server_error(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "now", lambda: "no number")

    with pytest.raises(openai.InternalServerError):
        create(client.with_options(max_retries=0), "file-1")
