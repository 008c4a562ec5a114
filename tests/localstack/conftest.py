"""The tests of this folder run only with LocalStack (`make test-localstack`).

SQS, EventBridge and Secrets Manager are its; DynamoDB and Lambda stay on MiniStack. The same command runs the
services' adapter tests so.
"""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from embedded import localstack
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.system import Configuration, System, running
from emulators.connect.functions import LambdaFunction
from tests.system.run import trigger_of

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if localstack.chosen() is not None:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs LocalStack: make test-localstack"))


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def system(tmp_path: Path) -> Generator[System]:
    with running(Configuration(folder=tmp_path, settings={"ingest": {"IDLE_S": "10"}})) as started:
        yield started
        started.check()


@pytest.fixture
async def trigger(system: System, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[LambdaFunction]:
    async with trigger_of(system, monkeypatch) as function:
        yield function
