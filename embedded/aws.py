"""The embedded AWS emulator, MiniStack: SQS, EventBridge, DynamoDB, Lambda and more in one process."""

import os
import socket
import sys
import urllib.request
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import botocore.session
from localstack_client.session import Session  # pyright: ignore[reportMissingTypeStubs]  # ships none

from embedded import localstack
from embedded.process import Child, Children, Program

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_secretsmanager.client import SecretsManagerClient
    from types_boto3_sqs.client import SQSClient

REGION = "us-east-1"
_APART = frozenset({"sqs", "events", "secretsmanager"})
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxy the user has is not for servers on this machine."""


def without_proxy(host: str) -> dict[str, str]:
    """Environment in which `host` is reached directly, whatever proxy the user has for the rest."""
    return {name: ",".join(filter(None, (os.environ.get(name), host))) for name in ("NO_PROXY", "no_proxy")}


@dataclass(frozen=True, slots=True)
class AwsEndpoint:
    """One endpoint that serves every AWS service; clients come from localstack-client."""

    host: str
    port: int
    apart: "AwsEndpoint | None" = None
    """Serves SQS, EventBridge and Secrets Manager in its place."""

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
            **without_proxy(self.host),
            **self._environment_apart,
        }

    @property
    def _environment_apart(self) -> dict[str, str]:
        if self.apart is None:
            return {}
        services = ("SQS", "EVENTBRIDGE", "SECRETS_MANAGER")
        return {f"AWS_ENDPOINT_URL_{service}": self.apart.url for service in services}

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
        if self.apart is not None and service in _APART:
            # Not by localstack-client: for it, AWS_ENDPOINT_URL serves everything.
            return botocore.session.get_session().create_client(
                service,
                endpoint_url=self.apart.url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106 -- the emulator accepts any
            )
        return cast("object", self._session.client(service))  # pyright: ignore[reportUnknownMemberType]  # untyped


def start(children: Children) -> "StartingAws":
    """Starts the emulator among `children`; call `.wait()` before use."""
    environment = localstack.chosen()
    apart = AwsEndpoint("127.0.0.1", _free_port()) if environment else None
    endpoint = AwsEndpoint("127.0.0.1", _free_port(), apart)
    scratch = children.folder.absolute() / "aws"
    scratch.mkdir(parents=True, exist_ok=True)
    program = Program(
        "aws",
        (str(Path(sys.executable).with_name("ministack")),),
        {"BIND_HOST": endpoint.host, "GATEWAY_PORT": str(endpoint.port), "TMPDIR": str(scratch)},
    )
    beside = localstack.start(children, environment, apart.port) if environment and apart else None
    return StartingAws(endpoint, children.start(program), beside)


@dataclass(frozen=True, slots=True)
class StartingAws:
    """The emulator, perhaps not yet answering."""

    endpoint: AwsEndpoint
    child: Child
    beside: Child | None = None
    """LocalStack, where it was asked for."""

    def wait(self) -> AwsEndpoint:
        """The endpoint, once it answers."""
        self.child.wait_until(self._healthy)
        if self.beside is not None and self.endpoint.apart is not None:
            localstack.wait(self.beside, self.endpoint.apart.port)
        return self.endpoint

    def _healthy(self) -> bool | None:
        try:
            with _DIRECT.open(f"{self.endpoint.url}/_ministack/health", timeout=1) as answer:
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
