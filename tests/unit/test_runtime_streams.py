"""Answers that stream, from the handler to the Runtime API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator

import pytest
from nightmail.runtime.api import RuntimeApi, RuntimeApiError
from nightmail.runtime.logs import Log
from nightmail.runtime.serving import serve
from nightmail.runtime.streamed import StreamedAnswer

from tests.unit.runtime_api import ID, PREFIX, RuntimeDouble

Body = Callable[[], Generator[bytes]]
_current: list[Body] = []


class Lines:
    """A log that is kept."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def write(self, message: str, _level: int, /) -> None:
        self.messages.append(message)


def handler(_event: object, _context: object) -> StreamedAnswer:
    """The function under test: it answers with the body that the test has laid out."""
    return StreamedAnswer(201, {"content-type": ["text/plain"]}, _current[-1]())


class Running:
    """A client in a thread, and Lambda's side of it."""

    def __init__(self) -> None:
        self.double = RuntimeDouble()
        self.lines = Lines()
        self._thread = threading.Thread(target=self._serve)

    def begin(self, body: Body) -> RuntimeDouble:
        """Hand over an event that this body answers."""
        _current[:] = [body]
        if not self._thread.is_alive():
            self._thread.start()
        self.double.hand_over({})
        return self.double

    def end(self) -> None:
        self.double.close()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with pytest.raises(RuntimeApiError):
            serve(
                RuntimeApi(self.double.address),
                Log(self.lines, is_json=False),
                f"{__name__}.handler",
            )


@pytest.fixture
def running() -> Iterator[Running]:
    client = Running()
    yield client
    client.end()


def test_a_stream_is_its_prelude_and_a_chunk_for_each_piece(running: Running) -> None:
    def body() -> Generator[bytes]:
        yield b"one"
        yield b""
        yield b"two" * 100_000

    posted = running.begin(body).posted()

    assert posted.path == f"{PREFIX}/invocation/{ID}/response"
    assert posted.prelude() == {
        "statusCode": 201,
        "multiValueHeaders": {"content-type": ["text/plain"]},
    }
    assert list(posted.chunks()) == [b"one", b"two" * 100_000]
    assert posted.trailers == {}
    running.double.accept()


def test_the_first_piece_is_there_while_the_handler_holds_the_second(running: Running) -> None:
    released = threading.Event()

    def body() -> Generator[bytes]:
        yield b"first"
        assert released.wait(30)
        yield b"last"

    posted = running.begin(body).posted()
    posted.prelude()
    chunks = posted.chunks()

    assert next(chunks) == b"first"
    released.set()
    assert list(chunks) == [b"last"]
    running.double.accept()


def test_an_error_behind_the_prelude_is_told_in_trailers(running: Running) -> None:
    def body() -> Generator[bytes]:
        yield b"half"
        raise LookupError("Nothing there.")

    posted = running.begin(body).posted()
    posted.prelude()

    assert list(posted.chunks()) == [b"half"]
    assert posted.trailers["lambda-runtime-function-error-type"] == "LookupError"
    failure = posted.failure()
    assert (failure["errorType"], failure["errorMessage"]) == ("LookupError", "Nothing there.")
    assert 'raise LookupError("Nothing there.")' in failure["stackTrace"][0]
    running.double.accept()
    assert "[ERROR] LookupError: Nothing there." in running.lines.messages[0]


def test_a_connection_that_breaks_closes_the_body_and_the_next_event_is_served(
    running: Running,
) -> None:
    closed = threading.Event()

    def endless() -> Generator[bytes]:
        try:
            while True:
                yield b"more" * 1000
        finally:
            closed.set()

    posted = running.begin(endless).posted()
    posted.prelude()
    next(posted.chunks())
    running.double.hang_up()

    assert closed.wait(30)
    posted = running.begin(lambda: (piece for piece in [b"fine"])).posted()
    posted.prelude()
    assert list(posted.chunks()) == [b"fine"]
    running.double.accept()
    assert running.double.connections == 2


def test_a_stream_that_is_not_accepted_leaves_the_process_alive(running: Running) -> None:
    posted = running.begin(lambda: (piece for piece in [b"big"])).posted()
    posted.prelude()
    list(posted.chunks())
    running.double.refuse()

    posted = running.begin(lambda: (piece for piece in [b"small"])).posted()

    posted.prelude()
    assert list(posted.chunks()) == [b"small"]
    running.double.accept()


def test_answers_share_one_connection(running: Running) -> None:
    for _ in range(3):
        posted = running.begin(lambda: (piece for piece in [b"."])).posted()
        posted.prelude()
        list(posted.chunks())
        running.double.accept()

    assert running.double.connections == 1


def test_a_connection_that_was_closed_between_requests_is_opened_again(running: Running) -> None:
    held = threading.Event()

    def body() -> Generator[bytes]:
        yield b"."

    def late() -> Generator[bytes]:
        held.wait(30)
        return body()

    running.begin(late)
    running.double.hang_up()
    held.set()

    posted = running.double.posted()

    posted.prelude()
    assert list(posted.chunks()) == [b"."]
    running.double.accept()
    assert running.double.connections == 2
