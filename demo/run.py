"""One run of the demo: start everything, play the calls, show what the callback hears, sum up."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from contracts.metrics import ANNOUNCE_LAG, DELIVERY_LAG, INGEST_LAG
from demo import observed, report
from demo.call import DemoCall
from demo.calls import Planned
from demo.conversation import Line
from demo.follow import Follower
from demo.interruption import run_until_interrupted
from demo.latency import Hop
from demo.screen import Screen, spoken
from embedded import resources, terraform, trigger_function
from embedded.aws import REGION
from embedded.system import Configuration, Deepgram, System, running
from emulators.connect.functions import LambdaFunction, RuleTarget, lambda_client
from emulators.connect.instance import open_instance
from emulators.receiver.recorder import Recorder
from emulators.receiver.server import ReceiverOptions, serve

REFRESH_S = 0.125
LAST_WORDS_S = 90
"""After the last caller hung up: a stream that stops in mid-word may go on for a minute, and reserve."""
FILES = (
    ("call-N.txt", "as `.venv/bin/connect-transcription transcript` prints it"),
    ("callback.jsonl", "every request that the callback received"),
    ("events.jsonl", "every event on the bus, as one more consumer received it"),
    ("logs/", "what each process wrote"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose."""

    planned: Sequence[Planned]
    folder: Path
    deepgram: Deepgram | None
    with_terraform: bool = False
    """Whether queues, bus and table are what `terraform apply` of the root `local` makes."""

    @property
    def recogniser(self) -> str:
        """As shown beside every word count."""
        return f"Deepgram at {self.deepgram.api}" if self.deepgram else "pocketsphinx, demo vocabulary"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the run and the system reach one another."""

    receiver: ReceiverOptions = field(default_factory=ReceiverOptions)
    callback_url: str | None = None
    """Of the run's receiver, as delivery sees it; None where both are on one machine."""
    functions_url: str | None = None
    """Of Lambda; None is the embedded AWS."""


def run_elsewhere(options: Options, system: System, surroundings: Surroundings, console: Console) -> int:
    """Plays the calls on a system that runs already; exit code as of `run`."""
    calls = [planned.view for planned in options.planned]
    os.environ.update(system.aws.environment)
    follower = run_until_interrupted(lambda: _play(options, system, console, surroundings))
    return _sum_up(console, options, calls, _emulators_hops(system, follower, calls))


def run(options: Options, console: Console) -> int:
    """Plays the calls; exit code 0 only if both sides of every call arrived.

    Raises:
        ProcessFailed: a part of the system did not start or ended.
    """
    calls = [planned.view for planned in options.planned]
    began_at = time.monotonic()
    configuration = Configuration(
        folder=options.folder,
        recogniser="pocketsphinx",
        deepgram=options.deepgram,
        make_resources=terraform.apply_local if options.with_terraform else resources.create,
        on_stage=lambda stage: console.print(Text.assemble(("starting ", "dim"), stage)),
    )
    with running(configuration) as system:
        console.print(Text.assemble(("ready after ", "dim"), f"{time.monotonic() - began_at:.1f} s\n"))
        os.environ.update(system.aws.environment)  # this process is a client of the embedded AWS, too
        follower = run_until_interrupted(lambda: _play(options, system, console, Surroundings()))
        hops = _emulators_hops(system, follower, calls)
        _keep_transcripts(system, options.folder, calls)
    hops += _services_hops(system.logs)
    return _sum_up(console, options, calls, hops)


async def _play(options: Options, system: System, console: Console, surroundings: Surroundings) -> Follower:
    functions_url = surroundings.functions_url or system.aws.url
    calls = [planned.view for planned in options.planned]
    follower = Follower(calls, options.folder)
    try:
        async with (
            serve(surroundings.receiver) as receiver,
            lambda_client(endpoint_url=functions_url, region=REGION) as functions,
            open_instance(
                kvs_url=system.kvs_url,
                function=LambdaFunction(functions, trigger_function.NAME),
                contact_events=RuleTarget(functions, trigger_function.CONTACT_EVENTS_NAME),
            ) as instance,
            asyncio.TaskGroup() as tasks,
        ):
            watching = [
                tasks.create_task(follower.follow_events(system.aws, system.resources.events_url)),
                tasks.create_task(_listen(receiver.recorder, follower, console)),
                tasks.create_task(_show(console, calls)),
            ]
            callback = f"{surroundings.callback_url or receiver.url}/calls/{{contact-id}}"
            playing = tasks.create_task(
                instance.play_all(
                    [planned.call(callback) for planned in options.planned], tell=follower.happened
                )
            )
            await _until_settled(calls, playing, follower, system)
            for task in (playing, *watching):
                task.cancel()
    finally:
        follower.close()
    return follower


async def _listen(recorder: Recorder, follower: Follower, console: Console) -> None:
    """Takes in what the callback receives, until cancelled; prints what is final where nothing is drawn."""
    async for request in recorder.watch():
        final = follower.received(request)
        if final and not console.is_terminal:
            _print_line(console, *final)


async def _until_settled(
    calls: Sequence[DemoCall], playing: asyncio.Task[Any], follower: Follower, system: System
) -> None:
    """Waits for the end of every call's transcript, at most `LAST_WORDS_S` after all were played.

    Calls that fail are not played to their end: there is nothing to see.
    """
    deadline: float | None = None
    while not all(call.is_settled for call in calls):
        system.check()
        if playing.done() and deadline is None:
            deadline = time.monotonic() + LAST_WORDS_S
        if deadline is not None and time.monotonic() > deadline:
            break
        follower.changed.clear()
        try:
            async with asyncio.timeout(1):
                await follower.changed.wait()
        except TimeoutError:
            continue
    for call in calls:
        if call.outcome is None:
            call.outcome, call.status = f"no end within {LAST_WORDS_S} s after the call", "not complete"


async def _show(console: Console, calls: Sequence[DemoCall]) -> None:
    """Redraws the calls until cancelled; without a terminal the lines are printed as they become final."""
    if not console.is_terminal:
        return
    screen = Screen(calls)
    with Live(screen, console=console, auto_refresh=False, transient=False) as live:
        try:
            while True:
                screen.now_ms = time.time_ns() // 1_000_000
                live.refresh()
                await asyncio.sleep(REFRESH_S)
        finally:
            live.refresh()


def _print_line(console: Console, call: DemoCall, line: Line) -> None:
    console.print(call.name, *spoken(line), sep="  ", soft_wrap=True)


def _keep_transcripts(system: System, folder: Path, calls: Sequence[DemoCall]) -> None:
    """Runs the operator's command for each call, since the store ends with the demo."""
    environment = {**os.environ, **system.environment}
    for number, call in enumerate(calls, 1):
        with (folder / f"call-{number}.txt").open("wb") as transcript:
            command = (sys.executable, "-m", "cli", "transcript", call.contact_id)
            subprocess.run(command, env=environment, stdout=transcript, stderr=subprocess.STDOUT, check=False)


def _emulators_hops(system: System, follower: Follower, calls: Sequence[DemoCall]) -> list[Hop]:
    """Hops between what the emulators saw; of Deepgram only when it was the emulator."""
    hops = [
        Hop("contact flow -> answer of the trigger", follower.answers_ms),
        observed.spoken_to_callback(follower.arrivals),
    ]
    if system.deepgram_emulator_url is not None:
        observed.note_first_blocks(system.kvs_url, calls)
        seen = observed.connections(system.deepgram_emulator_url)
        hops += [
            observed.first_audio(calls, seen),
            observed.deepgram_to_callback(follower.arrivals, seen),
        ]
    return hops


def _services_hops(logs: Path) -> list[Hop]:
    """Hops that the services measure themselves, complete once they have ended."""
    return [
        observed.counted(logs, "ingest", INGEST_LAG, "  audio chunk spoken -> on its way to transcribe"),
        observed.counted(logs, "transcribe", ANNOUNCE_LAG, "  Deepgram's message at transcribe -> queue"),
        observed.counted(logs, "delivery", DELIVERY_LAG, "  Deepgram's message at transcribe -> callback"),
    ]


def _sum_up(console: Console, options: Options, calls: Sequence[DemoCall], hops: Sequence[Hop]) -> int:
    console.print()
    report.print_words(console, calls, options.recogniser)
    console.print()
    report.print_hops(console, hops)
    console.print()
    report.print_places(console, options.folder, FILES)
    faults = report.faults(calls, embedded_recogniser=options.deepgram is None)
    if faults:
        report.print_faults(console, faults, observed.complaints(options.folder / "logs"))
    return 1 if faults else 0
