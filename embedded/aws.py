"""The embedded AWS emulator, MiniStack: SQS, EventBridge, DynamoDB, Lambda and more in one process."""

import socket
import sys
import urllib.request
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from localstack_client.session import Session  # pyright: ignore[reportMissingTypeStubs]  # ships none

from embedded.process import Child, Children, Program

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_secretsmanager.client import SecretsManagerClient
    from types_boto3_sqs.client import SQSClient

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class AwsEndpoint:
    """One endpoint that serves every AWS service; clients come from localstack-client."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """For `AWS_ENDPOINT_URL`."""
        return f"http://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes any AWS SDK use this endpoint, whatever the user's own AWS configuration says."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    @property
    def _session(self) -> Session:
        return Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 -- the emulator accepts any
            region_name=REGION,
            localstack_host=f"{self.host}:{self.port}",
        )

    def sqs(self) -> "SQSClient":
        """A client of SQS."""
        return cast("SQSClient", self._client("sqs"))

    def events(self) -> "EventBridgeClient":
        """A client of EventBridge."""
        return cast("EventBridgeClient", self._client("events"))

    def dynamodb(self) -> "DynamoDBClient":
        """A client of DynamoDB."""
        return cast("DynamoDBClient", self._client("dynamodb"))

    def secrets(self) -> "SecretsManagerClient":
        """A client of Secrets Manager."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    def functions(self) -> "LambdaClient":
        """A client of Lambda."""
        return cast("LambdaClient", self._client("lambda"))

    def _client(self, service: str) -> object:
        return cast("object", self._session.client(service))  # pyright: ignore[reportUnknownMemberType]  # untyped


def start(children: Children) -> "StartingAws":
    """Starts the emulator among `children`; call `.wait()` before use."""
    endpoint = AwsEndpoint("127.0.0.1", _free_port())
    program = Program(
        "aws",
        (str(Path(sys.executable).with_name("ministack")),),
        {"BIND_HOST": endpoint.host, "GATEWAY_PORT": str(endpoint.port)},
    )
    return StartingAws(endpoint, children.start(program))


@dataclass(frozen=True, slots=True)
class StartingAws:
    """The emulator, perhaps not yet answering."""

    endpoint: AwsEndpoint
    child: Child

    def wait(self) -> AwsEndpoint:
        """The endpoint, once it answers."""
        self.child.wait_until(self._healthy)
        return self.endpoint

    def _healthy(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"{self.endpoint.url}/_ministack/health", timeout=1) as answer:  # noqa: S310 -- http
                return answer.status == 200 or None
        except OSError:
            return None


@contextmanager
def embedded_aws(folder: Path) -> Generator[AwsEndpoint]:
    """The emulator alone, for a test; its log is in `folder`."""
    with Children(folder) as children:
        yield start(children).wait()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]
