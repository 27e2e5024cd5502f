"""The commands behind `make local` and `make stop`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import httpx

from local import processes
from local.build import ROOT
from local.cloud import CONFIG_KEY, running_variables
from local.deploy import describe
from local.emulator import session_at
from tests.e2e.conftest import RunningCloud


def local(action: str, state: Path, *options: str, **variables: str) -> tuple[int, str]:
    """Exit status of `python -m local <action>`, and what it said."""
    result = subprocess.run(
        [sys.executable, "-m", "local", action, "--state", str(state), *options],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def left_behind(state: Path) -> list[str]:
    """Command lines of processes that still work with this state folder."""
    if Path("/proc/self/cmdline").exists():
        lines = [_command_line(process) for process in Path("/proc").glob("[0-9]*")]
    else:
        command = ["ps", "-ww", "-eo", "args"]
        listing = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = listing.stdout.splitlines()
    return [line for line in lines if str(state) in line]


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def test_what_a_cloud_runs_is_found_by_its_state_folder(cloud: RunningCloud) -> None:
    assert len(left_behind(cloud.running.settings.state)) >= len(("launcher", "simulator"))


def test_a_second_start_finds_the_cloud_running(cloud: RunningCloud) -> None:
    settings = cloud.running.settings

    status, said = local("start", settings.state, "--port", str(settings.port))

    assert status == 0
    assert f"OPENAI_BASE_URL={cloud.base_url}\nOPENAI_API_KEY={cloud.key}\n" in said


def test_the_env_file_is_all_that_the_clients_need(cloud: RunningCloud) -> None:
    variables = running_variables(cloud.running.settings.state)

    assert variables == cloud.running.variables
    assert variables["OPENAI_BASE_URL"] == cloud.base_url
    assert variables["AWS_ENDPOINT_URL"] == cloud.endpoint_url


def test_both_keys_of_the_env_file_are_let_in_and_no_other(cloud: RunningCloud) -> None:
    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{cloud.base_url}/models", headers=headers, trust_env=False).status_code

    assert [status(key) for key in (cloud.key, cloud.second_key, "sk-x")] == [200, 200, 401]


def test_sam_local_invoke_is_told_how_a_container_reaches_the_emulator(
    cloud: RunningCloud,
) -> None:
    told = json.loads((cloud.running.settings.state / "sam-env.json").read_text())

    port = cloud.endpoint_url.rpartition(":")[2]
    assert told["SubmitShardFunction"]["AWS_ENDPOINT_URL"] == f"http://172.17.0.1:{port}"
    assert told["SubmitShardFunction"]["TABLE_NAME"] == cloud.outputs["TableName"]
    assert set(told) == set(cloud.running.stack.functions)


def test_a_start_on_a_taken_port_says_so_and_leaves_nothing_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        status, said = local("start", tmp_path, "--port", str(port))

    assert status == 1
    assert f"Port {port} is taken" in said
    assert left_behind(tmp_path) == []


def test_a_start_with_a_file_that_is_no_config_says_where(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text("model_list: [\n")

    status, said = local("start", tmp_path, "--config", str(config), "--port", "1")

    assert status == 1
    assert f"{config}:\nline 2: " in said
    assert left_behind(tmp_path) == []


def test_a_start_with_the_gateways_own_key_as_a_providers_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(
        "model_list: [{model_name: m, litellm_params: {model: openai/m, "
        "api_key: os.environ/OPENAI_API_KEY}}]\ngeneral_settings: {master_key: sk-1234}\n"
    )
    port = str(processes.free_port())

    status, said = local(
        "start", tmp_path, "--config", str(config), "--port", port, OPENAI_API_KEY="sk-1234"
    )

    assert status == 1
    assert "OPENAI_API_KEY in this shell is the gateway's own key" in said
    assert left_behind(tmp_path) == []


def test_a_stop_where_nothing_runs_says_so(tmp_path: Path) -> None:
    assert local("stop", tmp_path) == (0, "No local cloud was running.\n")


def test_a_start_with_a_config_that_the_gateway_refuses_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    config = tmp_path / "my.yaml"
    config.write_text("model_list: [{model_name: m, litellm_params: {modl: openai/m}}]\n")
    port = str(processes.free_port())

    status, said = local("start", tmp_path, "--config", str(config), "--port", port)

    assert status == 1
    assert "model_list[0].litellm_params.model" in said
    assert left_behind(tmp_path) == []


def test_a_second_start_with_a_config_gives_it_and_its_keys_to_the_running_cloud(
    tmp_path: Path,
) -> None:
    config, port = tmp_path / "my.yaml", str(processes.free_port())
    entry = (
        "model_list: [{model_name: %s, litellm_params: {model: openai/m, api_key: os.environ/%s}}]"
    )
    config.write_text(entry % ("first", "FIRST_KEY"))
    options = ("--config", str(config))
    try:
        assert local("start", tmp_path, *options, "--port", port, FIRST_KEY="sk-1")[0] == 0
        config.write_text(entry % ("second", "SECOND_KEY"))

        status, said = local("start", tmp_path, *options)
        assert status == 0
        assert "SECOND_KEY is not set in this shell" in said
        status, said = local("start", tmp_path, *options, SECOND_KEY="sk-2")
        assert status == 0
        assert "is not set in this shell" not in said
        assert f"within a minute it takes {config} and its keys" in said

        running = running_variables(tmp_path) or {}
        session = session_at(running["AWS_ENDPOINT_URL"])
        outputs = describe(running["NIGHTMAIL_STACK"], session).outputs
        secret = _secret_in(session, outputs["SecretName"])
        assert {name: secret[name] for name in ("FIRST_KEY", "SECOND_KEY", "master_key")} == {
            "FIRST_KEY": "sk-1",
            "SECOND_KEY": "sk-2",
            "master_key": running["OPENAI_API_KEY"],
        }
        held = session.client("s3").get_object(Bucket=outputs["BucketName"], Key=CONFIG_KEY)
        assert held["Body"].read() == config.read_bytes()

        config.write_text("model_list: [")
        status, said = local("start", tmp_path, *options)
        assert status == 1
        assert "keeps the config that it has" in said
    finally:
        local("stop", tmp_path)


def _secret_in(session: boto3.Session, name: str) -> dict[str, str]:
    client = session.client("secretsmanager")
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return found
