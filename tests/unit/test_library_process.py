"""The library as a part of other people's programs: imports, threads, forks, interrupts, and the end."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import nightmail
import pytest
from nightmail.library.process import process

from local.simulator.client import SimulatorClient

SLOWNESS = re.compile(r"Executing .* took [0-9.]+ seconds")
HI = "[{'role': 'user', 'content': 'Hi'}]"


def command(text: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(text)]


def complaints_in(errors: str) -> list[str]:
    """All but that something took long: that depends on the machine."""
    return [line for line in errors.splitlines() if not SLOWNESS.fullmatch(line)]


def run(text: str) -> str:
    """What a program prints; it may complain about nothing."""
    done = subprocess.run(command(text), capture_output=True, text=True, timeout=60, check=False)
    assert (complaints_in(done.stderr), done.returncode) == ([], 0)
    return done.stdout.strip()


@pytest.mark.of("anthropic")
def test_a_program_ends_without_a_complaint(provider_keys: SimulatorClient) -> None:
    """Connections, a stream that nobody finished, and a thread are all left behind."""
    printed = run(f"""
        import asyncio
        from nightmail import acompletion, batch_completion, completion
        assert len(batch_completion("gpt-4o", [{HI}] * 20)) == 20
        stream = completion("gpt-4o", {HI}, stream=True)
        next(stream)
        asyncio.run(acompletion("claude-2", {HI}))
        print("done")
    """)

    assert printed == "done"


def test_an_interrupt_ends_the_calls_under_way(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "hold"})
    text = f"""
        import signal
        from nightmail import batch_completion
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        try:
            batch_completion("gpt-4o", [{HI}] * 3)
        except KeyboardInterrupt:
            print("interrupted")
    """

    with subprocess.Popen(command(text), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        provider_keys.until_calls("held", 3)
        running.send_signal(signal.SIGINT)
        printed, errors = running.communicate(timeout=60)

    assert (printed, complaints_in(errors.decode())) == (b"interrupted\n", [])
    provider_keys.until_calls("disconnected", 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_makes_its_own_connections(provider_keys: SimulatorClient) -> None:
    printed = run(f"""
        import os, sys, warnings
        from nightmail import completion
        said = completion("gpt-4o", {HI}).choices[0].message.content
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread
        child = os.fork()
        assert completion("gpt-4o", {HI}).choices[0].message.content == said
        if not child:
            print("child")
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        print("parent")
    """)

    assert printed.split() == ["child", "parent"]


def test_the_package_alone_imports_nothing() -> None:
    """The gateway's functions are in the same package, and pay for what they import at a cold start."""
    printed = run("""
        import json, sys
        before = set(sys.modules)
        import nightmail
        hasattr(nightmail, "wiring"), dir(nightmail)
        print(json.dumps(sorted(set(sys.modules) - before)))
    """)

    assert [name for name in json.loads(printed) if name.startswith("nightmail")] == ["nightmail"]


def test_the_exceptions_are_found_without_an_import_of_their_own() -> None:
    printed = run("""
        import nightmail
        print(nightmail.exceptions.NotFoundError is nightmail.NotFoundError)
    """)

    assert printed.strip() == "True"


def test_the_library_imports_what_it_depends_on_and_no_more() -> None:
    printed = run("""
        import sys
        from nightmail import *
        from nightmail.exceptions import NotFoundError
        print(" ".join({name.partition(".")[0] for name in sys.modules}))
    """)

    imported = set(printed.split())
    assert {"aiohttp", "orjson", "pydantic", "certifi"} <= imported
    gateway_only = {"boto3", "botocore", "aws_lambda_powertools", "httpx", "yaml", "multipart"}
    assert gateway_only & imported == set()


def test_the_names_of_the_package_are_those_of_its_modules() -> None:
    for home, names in nightmail._HOMES.items():
        module = importlib.import_module(f"nightmail.library.{home}")
        assert sorted(names.split()) == sorted(module.__all__)
        for name in module.__all__:
            assert getattr(nightmail, name) is getattr(module, name)
            assert name in dir(nightmail)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = nightmail.no_such_name


def test_every_function_has_two_forms() -> None:
    functions = [name for name in nightmail.__all__ if name[0].islower()]
    waiting = [name for name in functions if f"a{name}" in functions]

    assert len(waiting) * 2 == len(functions)


def test_the_librarys_own_thread_cannot_wait_for_itself() -> None:
    async def call_within() -> None:
        nightmail.completion("gpt-4o", [])

    with pytest.raises(RuntimeError, match="own thread"):
        process().loop.run(call_within())


def test_functions_have_their_own_names() -> None:
    functions = [name for name in nightmail.__all__ if name[0].islower()]
    same = {"batch_completion_list": "list_batches", "abatch_completion_list": "alist_batches"}
    same |= {"batch_completion_retry": "retry_batch", "abatch_completion_retry": "aretry_batch"}
    same["abatch_completion_results"] = "batch_completion_results"

    assert [getattr(nightmail, name).__name__ for name in functions] == [
        same.get(name, name) for name in functions
    ]
    assert "vectors" in (nightmail.embedding.__doc__ or "")
