from collections.abc import AsyncGenerator, Generator

import pytest

from embedded.system import Configuration, System, running
from emulators.connect.functions import LambdaFunction
from tests.system.run import trigger_of

SETTINGS = {"ingest": {"IDLE_S": "10"}}
"""Half of the generated calls end in mid-word, after which ingest would wait a minute for more."""


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    """The four services, embedded AWS and the emulators, as processes; words are read by the codec."""
    with running(Configuration(folder=tmp_path_factory.mktemp("system"), settings=SETTINGS)) as started:
        yield started
        started.check()


@pytest.fixture
async def trigger(system: System, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[LambdaFunction]:
    """The trigger, as a contact flow invokes it."""
    async with trigger_of(system, monkeypatch) as function:
        yield function
