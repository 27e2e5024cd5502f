"""What the emulator does otherwise than AWS, and Nightmail notices, put right from outside.

Each module replaces private functions of ministack 1.5.33 and names them in its docstring. The
fidelity tests (tests/contract/test_emulator_*.py) fail when another version moves them.
"""

from __future__ import annotations

from local.mends import (
    api_gateway,
    cloud_formation,
    event_sources,
    lambda_environment,
    lambda_limits,
    lambda_worker,
    step_functions,
    time_to_live,
)


def apply(interpreter: str, runtime: str) -> None:
    """Mend the imported emulator.

    `interpreter` is the Python that runs the functions, `runtime` the folder that stands in for
    /var/runtime: AWS's runtime client and boto3, installed for that interpreter.
    """
    cloud_formation.apply()
    lambda_environment.apply(interpreter, runtime)
    lambda_worker.apply()
    lambda_limits.apply()
    event_sources.apply()
    time_to_live.apply()
    step_functions.apply()
    api_gateway.apply()
