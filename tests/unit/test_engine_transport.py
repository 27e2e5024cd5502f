"""What a provider's connection may do to a call: each becomes the error that fits, and no more."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from nightmail.engine.call import Call
from nightmail.engine.client import MAX_ANSWER_BYTES, trusted
from nightmail.engine.engine import Engine
from nightmail.engine.transport_errors import provider_error
from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimedOut,
    ProviderUnavailable,
)

from tests.unit.loopback import (
    CHAT,
    GOOD,
    PlainProvider,
    Script,
    Visit,
    deployment,
    plain,
    upstream,
)
from tests.unit.virtual_time import in_virtual_time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"


async def failure(url: str, **settings: Any) -> ProviderError:
    """The error of one call that is not tried again."""
    call = Call([deployment(url, num_retries=0, **settings)], CHAT, {"messages": []})
    async with Engine(plain) as engine:
        with pytest.raises(ProviderError) as raised:
            await engine.call(call)
    error = raised.value
    assert error.provider == "acme"
    for secret in (url, "127.0.0.1", "sk-key"):
        assert secret not in error.message
    return error


async def failure_at(script: Script, **settings: Any) -> ProviderError:
    async with upstream(script) as server:
        return await failure(server.url, **settings)


@in_virtual_time
async def test_a_request_is_sent_as_its_adapter_wrote_it() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer()

    body = {"messages": [{"role": "user", "content": "ü" * 3 * 2**20}]}
    async with upstream(script) as server, Engine(plain) as engine:
        reply = await engine.call(Call([deployment(server.url)], CHAT, body))
    (visit,) = server.visits
    assert (reply.body, reply.tries) == (GOOD, 1)
    assert (visit.path, visit.body) == (CHAT, {**body, "stream": False})
    assert visit.headers["authorization"] == "Bearer sk-key"
    assert visit.headers["content-type"] == "application/json"
    assert visit.headers["accept-encoding"] == "identity"
    assert "cookie" not in visit.headers


@in_virtual_time
async def test_a_connection_is_used_again_and_cookies_are_not_kept() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(set_cookie="a=b")

    async with upstream(script) as server, Engine(plain) as engine:
        for _ in range(3):
            await engine.call(Call([deployment(server.url)], CHAT, {}))
    assert (len(server.visits), server.connections) == (3, 1)
    assert not any("cookie" in visit.headers for visit in server.visits)


@in_virtual_time
async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(visit: Visit) -> None:
        await visit.answer()

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with upstream(script) as server, Engine(plain) as engine:
        await engine.call(Call([deployment(server.url)], CHAT, {}))


@in_virtual_time
async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(b"", status=307, location=f"http://{visit.headers['host']}/elsewhere")

    async with upstream(script) as server:
        error = await failure(server.url)
    assert isinstance(error, ProviderRejected)
    assert error.upstream_status == 307
    assert len(server.visits) == 1


@in_virtual_time
async def test_nobody_listening_is_unavailable() -> None:
    async with upstream(lambda visit: visit.answer()) as server:
        url = server.url
    assert isinstance(await failure(url), ProviderUnavailable)


def test_a_host_name_that_is_not_known_is_unavailable_and_is_not_shown() -> None:
    key = ConnectionKey("acme.internal", 443, True, True, None, None, None)
    error = provider_error(aiohttp.ClientConnectorDNSError(key, OSError("no such name")), "acme")
    assert isinstance(error, ProviderUnavailable)
    assert error.message == "acme could not be reached: its host name is not known."


@pytest.mark.parametrize(
    "url", ["", "acme", "acme.com/v1", "ftp://acme.com", "http://", "http://[", "http://a:port"]
)
@in_virtual_time
async def test_what_is_no_url_is_rejected(url: str) -> None:
    call = Call([deployment(url)], CHAT, {})
    async with Engine(plain) as engine:
        with pytest.raises(ProviderRejected, match="api_base"):
            await engine.call(call)


@in_virtual_time
async def test_a_server_without_tls_behind_https_is_unavailable() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1")
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        assert isinstance(await failure(url), ProviderUnavailable)


@in_virtual_time
async def test_a_connection_that_is_reset_is_unavailable() -> None:
    async def script(visit: Visit) -> None:
        visit.reset()

    assert isinstance(await failure_at(script), ProviderUnavailable)


@in_virtual_time
async def test_a_connection_that_is_closed_without_an_answer_is_unavailable() -> None:
    async def script(visit: Visit) -> None:
        visit.hang_up()

    assert isinstance(await failure_at(script), ProviderUnavailable)


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 200",
        HEAD,
        HEAD + b"\r\n",
        HEAD + b'\r\n{"choices": [',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
    ids=["status", "headers", "no body", "body", "piece", "no last piece"],
)
@pytest.mark.parametrize("end", [Visit.hang_up, Visit.reset])
@in_virtual_time
async def test_half_an_answer_is_unavailable(half: bytes, end: Any) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(half)
        end(visit)

    assert isinstance(await failure_at(script), ProviderUnavailable)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["another protocol", "status", "length", "long header"],
)
@in_virtual_time
async def test_what_is_not_http_is_garbled(answer: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(answer)
        visit.hang_up()

    assert isinstance(await failure_at(script), ProviderGarbled)


@in_virtual_time
async def test_what_is_not_json_is_garbled_with_its_status() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(b"<html>sk-key</html>", content_type="text/html")

    error = await failure_at(script)
    assert isinstance(error, ProviderGarbled)
    assert error.upstream_status == 200


@in_virtual_time
async def test_a_packed_answer_is_read_though_none_was_asked_for() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(gzip.compress(json.dumps(GOOD).encode()), content_encoding="gzip")

    async with upstream(script) as server, Engine(plain) as engine:
        assert (await engine.call(Call([deployment(server.url)], CHAT, {}))).body == GOOD


@in_virtual_time
async def test_an_answer_that_says_it_is_too_large_is_not_read() -> None:
    async def script(visit: Visit) -> None:
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER_BYTES + 1))
        await visit.gone()

    error = await failure_at(script)
    assert isinstance(error, ProviderGarbled)
    assert "64 MiB" in error.message


@in_virtual_time
async def test_an_answer_that_grows_too_large_is_cut_off() -> None:
    async def script(visit: Visit) -> None:
        await visit.begin_stream()
        while True:
            await visit.piece(bytes(2**20))

    error = await failure_at(script)
    assert isinstance(error, ProviderGarbled)
    assert "64 MiB" in error.message


@in_virtual_time
async def test_an_answer_that_unpacks_to_too_much_is_cut_off() -> None:
    packed = gzip.compress(bytes(MAX_ANSWER_BYTES + 1))

    async def script(visit: Visit) -> None:
        await visit.answer(packed, content_encoding="gzip")

    assert isinstance(await failure_at(script), ProviderGarbled)


@in_virtual_time
async def test_slow_bytes_are_an_answer_while_they_are_in_time() -> None:
    async def script(visit: Visit) -> None:
        content = json.dumps(GOOD).encode()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        for place in range(0, len(content), 10):
            await asyncio.sleep(60)
            await visit.send(content[place : place + 10])

    async with upstream(script) as server, Engine(plain) as engine:
        assert (await engine.call(Call([deployment(server.url)], CHAT, {}))).body == GOOD


@pytest.mark.parametrize("begun", [False, True])
@in_virtual_time
async def test_what_takes_longer_than_its_time_out_is_timed_out_and_closed(begun: bool) -> None:
    times: list[float] = []

    async def script(visit: Visit) -> None:
        if begun:
            await visit.send(HEAD + b"\r\n{")
        await visit.gone()
        times.append(asyncio.get_running_loop().time() - visit.at)

    error = await failure_at(script, timeout_seconds=7)
    assert isinstance(error, ProviderTimedOut)
    assert error.http_status == 504
    assert times == [pytest.approx(7)]


@in_virtual_time
async def test_the_call_s_own_time_out_replaces_the_deployment_s() -> None:
    async with upstream(Visit.gone) as server, Engine(plain) as engine:
        entry = deployment(server.url, timeout_seconds=60, num_retries=0)
        with pytest.raises(ProviderTimedOut):
            await engine.call(Call([entry], CHAT, {}, timeout_seconds=0.5))
        assert asyncio.get_running_loop().time() == pytest.approx(0.5)


@in_virtual_time
async def test_without_a_time_out_ten_minutes_are_enough() -> None:
    async with upstream(Visit.gone) as server, Engine(plain) as engine:
        with pytest.raises(ProviderTimedOut):
            await engine.call(Call([deployment(server.url)], CHAT, {}, num_retries=0))
        assert asyncio.get_running_loop().time() == pytest.approx(600)


@in_virtual_time
async def test_headers_are_found_in_lower_case() -> None:
    async def script(visit: Visit) -> None:
        await visit.answer({}, status=429, Retry_After="7")

    error = await failure_at(script)
    assert isinstance(error, ProviderThrottled)
    assert error.retry_after_seconds == 7


@in_virtual_time
async def test_a_key_that_cannot_stand_in_a_header_is_rejected_without_being_shown() -> None:
    class WithLineBreak(PlainProvider):
        def request(self, *args: Any, **options: Any) -> Any:
            written = super().request(*args, **options)
            return type(written)(written.url, {"authorization": "Bearer sk-a\nb"}, b"{}")

    async with upstream(Visit.gone) as server, Engine(WithLineBreak) as engine:
        with pytest.raises(ProviderRejected) as raised:
            await engine.call(Call([deployment(server.url)], CHAT, {}))
    assert "sk-a" not in raised.value.message
    assert server.visits == []


@contextmanager
def certificate(folder: Path) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """Of a server on loopback, and by nobody that anybody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    start = datetime.now(UTC) - timedelta(days=1)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    trusted.cache_clear()
    yield path, context
    trusted.cache_clear()


@in_virtual_time
async def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path) -> None:
    with certificate(tmp_path) as (_, context):
        async with upstream(Visit.answer, context) as server:
            error = await failure(server.url)
    assert isinstance(error, ProviderUnavailable)
    assert "certificate" in error.message
    assert server.visits == []


@in_virtual_time
async def test_certificates_of_the_environment_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with certificate(tmp_path) as (path, context):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        async with upstream(Visit.answer, context) as server, Engine(plain) as engine:
            assert (await engine.call(Call([deployment(server.url)], CHAT, {}))).body == GOOD
