"""A stack at an endpoint that runs already, such as a container: made there, or found there."""

import os
import time
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from embedded.aws import AwsEndpoint
from embedded.resources import PREFIX, Resources, create

ACCOUNT = "000000000000"
PATIENCE_S = 120
_POLL_S = 0.5


def endpoint() -> AwsEndpoint:
    """What `AWS_ENDPOINT_URL` names. Raises: KeyError."""
    address = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    return AwsEndpoint(address.hostname or "127.0.0.1", address.port or 4566)


def make(aws: AwsEndpoint, prefix: str = PREFIX) -> Resources:
    """Makes the stack as soon as the endpoint answers; one that is there already is left as it is.

    Raises:
        TimeoutError: nothing answered within `PATIENCE_S`.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if aws.events().list_event_buses(NamePrefix=prefix).get("EventBuses"):
                return find(aws, prefix)
            return create(aws, prefix)
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{aws.url} does not answer: {error}") from error
            time.sleep(_POLL_S)


def find(aws: AwsEndpoint, prefix: str = PREFIX) -> Resources:
    """The names of a stack that was made at the endpoint."""

    def url(name: str) -> str:
        return f"{aws.url}/{ACCOUNT}/{prefix}-{name}"

    return Resources(
        session_requests_url=url("session-requests"),
        session_requests_dlq_url=url("session-requests-dlq"),
        transcripts_url=url("transcripts.fifo"),
        transcripts_dlq_url=url("transcripts-dlq.fifo"),
        events_url=url("events"),
        bus_name=prefix,
        table_name=f"{prefix}-sessions",
    )
