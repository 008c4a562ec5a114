from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.resources import Resources
from emulators.deepgram.server import DeepgramEmulator, Options, serve
from services.transcribe.settings import Settings

KEY = "key-of-the-emulated-deepgram"
SECRET = "a-secret-of-at-least-thirty-two-characters"


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def stack(aws: AwsEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Resources:
    """A stack of its own for each test, and the environment that leads an SDK to it."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return resources.create(aws, f"t{abs(hash(str(tmp_path)))}")


@pytest.fixture
async def deepgram() -> AsyncIterator[DeepgramEmulator]:
    async with serve(options=Options(key=KEY, keep_messages=True)) as emulator:
        yield emulator


@pytest.fixture
def settings(stack: Resources, deepgram: DeepgramEmulator) -> Settings:
    return Settings(
        sessions_table=stack.table_name,
        transcripts_queue_url=stack.transcripts_url,
        session_requests_queue_url=stack.session_requests_url,
        event_bus_name=stack.bus_name,
        link_secret=SecretStr(SECRET),
        link_host="127.0.0.1",
        link_port=0,
        health_host="127.0.0.1",
        health_port=0,
        deepgram_api=deepgram.url,
        deepgram_api_key=SecretStr(KEY),
    )
