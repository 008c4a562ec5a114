from collections.abc import AsyncGenerator, Generator

import pytest

from embedded.system import Configuration, System, running
from emulators.connect.functions import LambdaFunction
from tests.system.run import trigger_of


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    """The four services, embedded AWS and the emulators, as processes; words are read by the codec."""
    with running(Configuration(folder=tmp_path_factory.mktemp("system"))) as started:
        yield started
        started.check()


@pytest.fixture
async def trigger(system: System, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[LambdaFunction]:
    """The trigger, as a contact flow invokes it."""
    async with trigger_of(system, monkeypatch) as function:
        yield function
