"""Upgrade and rollback while calls are live: two releases of each service side by side."""

import asyncio
import json
import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import trigger_function
from embedded.system import ROOT, Configuration, System, running
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.functions import lambda_function
from emulators.deepgram.script import CallScript, encode_call
from tests.chaos.report import RunReport, report
from tests.system.next_release import FIELD, environment_of, make_next_release
from tests.system.run import Gathered, play

CALLS = 10
SECONDS = 45
SEED = 6_000
FUNCTION = "trigger-of-a-release"
LAST_WORDS_S = 90
SETTINGS = {"ingest": {"IDLE_S": "10"}}
ORDER = [f"{service}-{number}" for service in ("delivery", "transcribe", "ingest") for number in (1, 2)]
"""Readers before writers."""


@pytest.fixture
def system(tmp_path: Path) -> Generator[System]:
    with running(Configuration(folder=tmp_path, replicas=2, settings=SETTINGS)) as started:
        yield started


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    return make_next_release(tmp_path / "next")


async def deploy(system: System, release: Path, programs: Sequence[str] = ORDER) -> None:
    """Replaces one process after another, each as a deployment does it: SIGTERM, and the new one's start."""
    for name in programs:
        old = system.services[name]
        old.signal(signal.SIGTERM)
        assert await asyncio.to_thread(old.wait) == 0
        environment = {**old.program.environment, **environment_of(release)}
        started = system.services.start(replace(old.program, environment=environment))
        await asyncio.to_thread(started.ready)


async def played(
    system: System, monkeypatch: pytest.MonkeyPatch, *, trigger: Path, services: Path
) -> tuple[RunReport, Gathered]:
    """Plays calls that this release of the trigger starts, while that one of the services is deployed."""
    for name, value in system.aws.environment.items():
        monkeypatch.setenv(name, value)
    functions, package = system.aws.functions(), trigger_function.build_zip(trigger)
    trigger_function.create(functions, FUNCTION, package, system.environment)
    trigger_function.warm(functions, FUNCTION, 2)
    scripts = [encode_call(SEED + number, SECONDS) for number in range(CALLS)]
    async with lambda_function(FUNCTION) as function:
        gathered = await play(
            system,
            function,
            lambda callback: [call_of(script, callback) for script in scripts],
            last_words_s=LAST_WORDS_S,
            beside=lambda: deploy(system, services),
        )
    contacts = [call.started.contact_id for call in gathered.played]
    reports = [
        report(script, contact, gathered.requests[contact], gathered.events[contact])
        for script, contact in zip(scripts, contacts, strict=True)
    ]
    return RunReport(reports), gathered


def call_of(script: CallScript, callback: str) -> Call:
    return Call(
        source=PcmSource(script.samples.astype("<i2").tobytes()),
        attributes={"dg_interim_results": "true", "dg_callback": callback},
    )


def link_versions(system: System) -> Iterator[int]:
    """Of every link that came up, in the logs' order."""
    for number in (1, 2):
        for line in (system.logs / f"transcribe-{number}.log").read_text().splitlines():
            if '"transcribe.link_up"' in line:
                yield json.loads(line)["version"]


def publishers(gathered: Gathered) -> set[bool]:
    """Which releases the transcript events come from: True the next one, False this one."""
    return {
        FIELD in event["detail"]
        for events in gathered.events.values()
        for event in events
        if event["detail-type"] == "Transcript Segment"
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_upgrade_under_load_costs_no_word(
    system: System, next_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, gathered = await played(system, monkeypatch, trigger=next_release, services=next_release)
    print(told)
    assert told.clean, str(told)
    assert told.counts()["words"] > CALLS * 20
    assert set(link_versions(system)) == {1, 2}
    assert publishers(gathered) == {True, False}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_rollback_under_load_costs_no_word(
    system: System, next_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deploy(system, next_release)
    told, gathered = await played(system, monkeypatch, trigger=ROOT, services=ROOT)
    print(told)
    assert told.clean, str(told)
    assert told.counts()["words"] > CALLS * 20
    assert set(link_versions(system)) == {1, 2}
    assert publishers(gathered) == {True, False}
