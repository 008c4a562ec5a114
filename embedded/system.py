"""The whole system as processes on this machine: embedded AWS, KVS and Deepgram emulators, the services."""

import secrets
import socket
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from embedded import aws, resources, trigger_function
from embedded.process import Child, Children, Program

ROOT = Path(__file__).parent.parent
LOOPBACK = "127.0.0.1"
WARM_TRIGGERS = 2
"""Processes of the trigger that are warm before the first call."""


@dataclass(frozen=True, slots=True)
class Deepgram:
    """A Deepgram to use: the URL of its listen endpoint and a key."""

    api: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a run may choose."""

    folder: Path
    """Logs of all processes go to `logs/` in it."""
    recogniser: str = "codec"
    """Of the Deepgram emulator: `codec` or `pocketsphinx`."""
    deepgram: Deepgram | None = None
    """Another Deepgram in place of the emulator."""
    replicas: int = 1
    """Processes of each service; with more than one their names end in `-1`, `-2`, …"""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Environment by service, over the defaults."""
    deepgram_options: Sequence[str] = ()
    """More of the Deepgram emulator's command line."""
    relayed: bool = False
    """Whether the services reach AWS, Deepgram and one another through relays, which can be disturbed."""
    make_resources: Callable[[aws.AwsEndpoint], resources.Resources] = resources.create
    """Makes queues, bus and table at the embedded AWS."""
    on_stage: Callable[[str], None] = lambda _: None
    """Told what is being started."""


@dataclass(frozen=True, slots=True)
class System:
    """The running system."""

    aws: aws.AwsEndpoint
    resources: resources.Resources
    kvs_url: str
    deepgram: Deepgram
    deepgram_emulator_url: str | None
    """Base URL of its admin API; None when another Deepgram is used."""
    relay_url: str | None
    """Base URL of the relays' admin API; None when nothing is relayed. Relays are named `aws`, `deepgram`,
    and `ingest-1.transcribe-2` for each link."""
    emulators: Children
    services: Children
    logs: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the stack: AWS variables and resource names."""
        return _stack(self.aws, self.resources, self.kvs_url)

    def check(self) -> None:
        """Raises `ProcessFailed` when a process has ended."""
        self.emulators.check()
        self.services.check()


@contextmanager
def running(chosen: Configuration) -> Generator[System]:
    """The system, ready for calls; ends every process afterwards, the services before their peers.

    Raises:
        ProcessFailed: a process did not start; the message ends with its last log lines.
    """
    logs = chosen.folder / "logs"
    with Children(logs) as emulators, Children(logs) as services:
        yield _start(emulators, services, chosen)


def _start(emulators: Children, services: Children, chosen: Configuration) -> System:
    chosen.on_stage("embedded AWS, Kinesis Video Streams and Deepgram emulators")
    starting_aws = aws.start(emulators)
    kvs = emulators.start(_emulator("kvs", "--port", "0"))
    emulator_key = secrets.token_hex(16)
    emulator = None
    if chosen.deepgram is None:
        recogniser = ("--recogniser", chosen.recogniser, "--key", emulator_key)
        emulator = emulators.start(
            _emulator("deepgram", "--port", "0", *recogniser, *chosen.deepgram_options)
        )
    endpoint = starting_aws.wait()
    chosen.on_stage("queues, event bus, table")
    stack = chosen.make_resources(endpoint)
    kvs_url = f"http://{LOOPBACK}:{kvs.ready()['port']}"
    chosen.on_stage("trigger, ingest, transcribe, delivery")
    deepgram, emulator_port = chosen.deepgram, None
    if emulator is not None:
        emulator_port = int(str(emulator.ready()["port"]))
        deepgram = Deepgram(f"ws://{LOOPBACK}:{emulator_port}/v1/listen", emulator_key)
    assert deepgram is not None  # noqa: S101 -- for the type checker: one of the two
    ways = _Ways(endpoint, deepgram, [_free_port() for _ in range(chosen.replicas)])
    if chosen.relayed:
        ways = _relayed(emulators, ways, emulator_port)
    environment = _stack(ways.aws, stack, kvs_url)
    started = _start_services(services, environment, ways, chosen)
    _deploy_trigger(endpoint, environment, chosen)
    for service in started:
        service.ready()
    return System(
        endpoint,
        stack,
        kvs_url,
        deepgram,
        None if emulator_port is None else f"http://{LOOPBACK}:{emulator_port}",
        ways.relay_url,
        emulators,
        services,
        services.folder,
    )


@dataclass(frozen=True, slots=True)
class _Ways:
    """On which the services reach their peers."""

    aws: aws.AwsEndpoint
    deepgram: Deepgram
    transcribe_ports: Sequence[int]
    """On which they listen."""
    relays: Mapping[str, int] = field(default_factory=dict[str, int])
    """Port by name; empty: nothing is relayed."""
    relay_url: str | None = None

    def endpoints(self, ingest: str) -> str:
        """Where this ingest finds transcribe."""
        ports = [
            self.relays.get(f"{ingest}.transcribe-{number}", port)
            for number, port in enumerate(self.transcribe_ports, 1)
        ]
        return ",".join(f"{LOOPBACK}:{port}" for port in ports)


def _relayed(emulators: Children, direct: _Ways, emulator_port: int | None) -> _Ways:
    targets = {"aws": direct.aws.port}
    if emulator_port is not None:
        targets["deepgram"] = emulator_port
    numbers = range(1, len(direct.transcribe_ports) + 1)
    for ingest in numbers:
        for transcribe, port in zip(numbers, direct.transcribe_ports, strict=True):
            targets[f"ingest-{ingest}.transcribe-{transcribe}"] = port
    arguments = [f"--relay={name}={LOOPBACK}:{port}" for name, port in targets.items()]
    ready = emulators.start(_emulator("relay", *arguments)).ready()
    ports: dict[str, int] = cast("dict[str, int]", ready["relays"])
    deepgram = direct.deepgram
    if "deepgram" in ports:
        deepgram = Deepgram(f"ws://{LOOPBACK}:{ports['deepgram']}/v1/listen", deepgram.key)
    return replace(
        direct,
        aws=replace(direct.aws, port=ports["aws"]),
        deepgram=deepgram,
        relays=ports,
        relay_url=f"http://{LOOPBACK}:{ready['port']}",
    )


def _deploy_trigger(endpoint: aws.AwsEndpoint, environment: dict[str, str], chosen: Configuration) -> None:
    settings = {**environment, **chosen.settings.get("trigger", {})}
    package = trigger_function.build_zip(ROOT)
    client = endpoint.functions()
    trigger_function.create(client, trigger_function.NAME, package, settings)
    trigger_function.create(
        client,
        trigger_function.CONTACT_EVENTS_NAME,
        package,
        settings,
        trigger_function.CONTACT_EVENTS_HANDLER,
    )
    trigger_function.warm(client, trigger_function.NAME, WARM_TRIGGERS)


def _start_services(
    children: Children, environment: dict[str, str], ways: _Ways, chosen: Configuration
) -> list[Child]:
    link = {"LINK_SECRET": secrets.token_hex(32)}
    deepgram = {"DEEPGRAM_API": ways.deepgram.api, "DEEPGRAM_API_KEY": ways.deepgram.key}
    deliver = {"CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8", "CALLBACK_ALLOWED_PORTS": "1-65535"}
    started: list[Child] = []
    for number, port in enumerate(ways.transcribe_ports, 1):
        suffix = f"-{number}" if chosen.replicas > 1 else ""
        own_settings = {
            "transcribe": {"LINK_HOST": LOOPBACK, "LINK_PORT": str(port), **deepgram, **link},
            "ingest": {"TRANSCRIBE_ENDPOINTS": ways.endpoints(f"ingest-{number}"), **link},
            "delivery": deliver,
        }
        for service, own in own_settings.items():
            settings = {**environment, **own, **chosen.settings.get(service, {})}
            started.append(children.start(_service(service, suffix, settings)))
    return started


def _emulator(name: str, *arguments: str) -> Program:
    return Program(name, (sys.executable, "-m", f"emulators.{name}", *arguments), _python_path())


def _service(name: str, suffix: str, environment: Mapping[str, str]) -> Program:
    command = (sys.executable, "-m", f"services.{name}")
    return Program(f"{name}{suffix}", command, {**_python_path(), **environment})


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


def _stack(endpoint: aws.AwsEndpoint, stack: resources.Resources, kvs_url: str) -> dict[str, str]:
    return {**endpoint.environment, "AWS_ENDPOINT_URL_KINESIS_VIDEO": kvs_url, **stack.environment}


def _free_port() -> int:
    with closing(socket.create_server((LOOPBACK, 0))) as probe:
        return probe.getsockname()[1]
