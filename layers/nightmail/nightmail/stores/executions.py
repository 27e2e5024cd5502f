"""Executions of the state machine. Each is named by its batch, so that a batch has one at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from nightmail.errors import StorageUnavailable
from nightmail.payloads import BatchTask

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Executions:
    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, task: BatchTask) -> None:
        """Start the batch's execution; one that was started before is no error.

        Raises StorageUnavailable where Step Functions did not take it.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=task.batch_id,
                input=task.model_dump_json(),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return
        except (ClientError, BotoCoreError) as error:
            raise StorageUnavailable(
                f"The execution of {task.batch_id} was not started; try again."
            ) from error
