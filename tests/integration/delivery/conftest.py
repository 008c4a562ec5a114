import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from tests.integration.delivery.surroundings import SECRET, Process, Surroundings


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint
        Process.end_all()


@pytest.fixture(scope="module")
def surroundings(aws: AwsEndpoint) -> Surroundings:
    """A stack of the module's own."""
    return Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))


@pytest.fixture(scope="module")
def process(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Delivery, running; retries are quick."""
    process = Process(surroundings, tmp_path_factory.mktemp("delivery"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def alone(aws: AwsEndpoint, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """A stack of the test's own, without a process; clients of this process find it."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))


@pytest.fixture
def session() -> str:
    """A session of the test's own."""
    return uuid.uuid4().hex


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions(secrets=[SECRET])) as started:
        yield started
