from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import REGION, AwsEndpoint, embedded_aws
from embedded.resources import Resources
from emulators.kvs.options import KvsOptions
from emulators.kvs.server import RunningKvs, serve
from tests.integration.ingest.surroundings import Surroundings
from tests.integration.ingest.transcribe_peer import TranscribePeer, transcribe_peer


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def stack(aws: AwsEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Resources:
    """A stack of its own for each test, and the environment that leads an SDK to it."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return resources.create(aws, f"i{abs(hash(str(tmp_path)))}")


@pytest.fixture
async def kvs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[RunningKvs]:
    """The emulator with short times, or those of a parameter, and the environment that leads an SDK to it."""
    options: KvsOptions = getattr(request, "param", KvsOptions(idle_s=0.3, reuse_after_s=0, region=REGION))
    async with serve(options) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS_VIDEO", running.base_url)
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield running


@pytest.fixture
async def peer() -> AsyncIterator[TranscribePeer]:
    async with transcribe_peer() as running:
        yield running


@pytest.fixture
def around(aws: AwsEndpoint, stack: Resources, kvs: RunningKvs, peer: TranscribePeer) -> Surroundings:
    assert kvs.port
    return Surroundings(aws, stack, peer)
