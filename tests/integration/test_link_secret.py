"""The link's secret is rotated in Secrets Manager: no link is lost, new ones are made with the new secret."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from aws.link_secrets import LinkSecrets, link_secrets
from contracts.link import Open
from embedded.aws import AwsEndpoint, embedded_aws
from services.ingest.adapters.dial import dial, tls_offers
from services.ingest.adapters.links import TranscribeLinks
from services.ingest.errors import LinkFailed
from services.ingest.settings import Endpoint
from services.transcribe.adapters.link import Link, LinkServer
from services.transcribe.inputs import LinkInput
from telemetry.health import Health
from telemetry.metrics import Metrics
from tests.integration.delivery.surroundings import become

FIRST, SECOND, THIRD = ("first" * 8, "second" * 8, "third" * 8)
OFTEN_S, NEVER_S = 0.05, 3_600.0
WITHIN_S = 20.0
type Shared = Callable[[], Sequence[str]]


def secrets_of(
    static: str | None, secret: str | None, every_s: float, health: Health | None = None
) -> AbstractAsyncContextManager[LinkSecrets]:
    metrics = Metrics("ingest", stack="s")
    return link_secrets(static, secret, every_s, metrics=metrics, health=health or Health())


class Attending:
    """Counts links."""

    def __init__(self) -> None:
        self.made: list[Link] = []
        self.lost: list[Link] = []

    def greet(self, link: Link) -> None:
        self.made.append(link)

    def bereave(self, link: Link) -> None:
        self.lost.append(link)

    def open(self, link: Link, frame: Open) -> None:
        raise AssertionError(link, frame)

    def deliver(self, link: Link, handle: int, happened: LinkInput) -> None:
        raise AssertionError(link, handle, happened)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def secret(aws: AwsEndpoint, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    name = f"link-{uuid.uuid4().hex}"
    aws.secrets().create_secret(Name=name, SecretString=FIRST)
    return name


@pytest.fixture
def attending() -> Attending:
    return Attending()


@asynccontextmanager
async def transcribe(attending: Attending, secret: str, every_s: float) -> AsyncGenerator[tuple[int, Shared]]:
    async with (
        secrets_of(None, secret, every_s) as shared,
        LinkServer(attending, shared, "transcribe-1").listening("127.0.0.1", 0) as port,
    ):
        yield port, shared


@asynccontextmanager
async def ingest(port: int, shared: Shared) -> AsyncGenerator[TranscribeLinks]:
    links = TranscribeLinks([Endpoint("127.0.0.1", port)], tls_offers(shared), "ingest-1")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(links.run())
        async with asyncio.timeout(WITHIN_S):
            await links.until_open()
        yield links
        running.cancel()


async def knows(shared: Shared, *expected: str) -> None:
    await become(lambda: tuple(shared()), expected)


async def test_a_rotation_loses_no_link_and_new_links_are_made_with_the_new_secret(
    aws: AwsEndpoint, secret: str, attending: Attending
) -> None:
    async with (
        transcribe(attending, secret, OFTEN_S) as (port, known),
        secrets_of(None, secret, OFTEN_S) as shared,
        ingest(port, shared) as links,
    ):
        assert len(attending.made) == 1
        aws.secrets().put_secret_value(SecretId=secret, SecretString=SECOND)
        await knows(known, SECOND, FIRST)
        await knows(shared, SECOND, FIRST)
        async with dial("127.0.0.1", port, tls_offers(lambda: [SECOND])(0), "new") as link:
            assert link.peer == "transcribe-1"
        assert links.ready
        aws.secrets().put_secret_value(SecretId=secret, SecretString=THIRD)
        await knows(known, THIRD, SECOND)
        async with dial("127.0.0.1", port, tls_offers(lambda: [THIRD])(0), "newest"):
            pass
        for failed in range(2):
            with pytest.raises(LinkFailed):
                async with dial("127.0.0.1", port, tls_offers(lambda: [FIRST])(failed), "old"):
                    pass
        await become(lambda: len(attending.lost), 2)  # those of the two dials
        assert links.ready  # the first link is as it was


@pytest.mark.parametrize(("of_the_server_s", "of_the_client_s"), [(OFTEN_S, NEVER_S), (NEVER_S, OFTEN_S)])
async def test_ends_that_learn_of_a_rotation_at_different_times_find_each_other(
    aws: AwsEndpoint, secret: str, attending: Attending, of_the_server_s: float, of_the_client_s: float
) -> None:
    async with (
        transcribe(attending, secret, of_the_server_s) as (port, known),
        secrets_of(None, secret, of_the_client_s) as shared,
    ):
        aws.secrets().put_secret_value(SecretId=secret, SecretString=SECOND)
        quicker, slower = (known, shared) if of_the_server_s < of_the_client_s else (shared, known)
        await knows(quicker, SECOND, FIRST)
        await knows(slower, FIRST)
        async with ingest(port, shared) as links:
            assert links.ready


async def test_an_end_with_the_secret_in_its_environment_finds_one_that_reads_it(
    secret: str, attending: Attending
) -> None:
    async with (
        transcribe(attending, secret, NEVER_S) as (port, _),
        secrets_of(FIRST, None, NEVER_S) as shared,
        ingest(port, shared) as links,
    ):
        assert links.ready


async def test_a_secret_that_cannot_be_read_or_used_changes_nothing(aws: AwsEndpoint, secret: str) -> None:
    async with secrets_of(None, secret, OFTEN_S) as shared:
        aws.secrets().put_secret_value(SecretId=secret, SecretString="short")
        aws.secrets().put_secret_value(SecretId=secret, SecretString=SECOND)
        await knows(shared, SECOND, FIRST)  # what was between them is too short to be used
        aws.secrets().put_secret_value(SecretId=secret, SecretString="short")
        aws.secrets().delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        aws.secrets().create_secret(Name=secret, SecretString=THIRD)
        await knows(shared, THIRD, SECOND)


@pytest.mark.parametrize("unusable", ["{}", " ", '{"link_secret": ""}'])
async def test_an_end_that_starts_while_the_value_is_unusable_takes_the_one_before_it(
    aws: AwsEndpoint, secret: str, attending: Attending, unusable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with transcribe(attending, secret, NEVER_S) as (port, _):
        aws.secrets().put_secret_value(SecretId=secret, SecretString=unusable)
        async with secrets_of(None, secret, NEVER_S) as shared, ingest(port, shared) as links:
            assert links.ready
    assert "link.secret_refused" in capsys.readouterr().out


async def test_an_end_without_any_value_is_not_ready_and_begins_with_the_first(
    aws: AwsEndpoint, secret: str
) -> None:
    aws.secrets().put_secret_value(SecretId=secret, SecretString="short")
    aws.secrets().put_secret_value(SecretId=secret, SecretString="as short")
    health = Health()

    async def begun() -> Sequence[str]:
        async with secrets_of(None, secret, NEVER_S, health) as shared:
            return shared()

    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(begun())
        await become(lambda: bool(health.not_ready()), True)
        [reason] = health.not_ready()
        assert reason.startswith("secret of the link is unusable: not 32 characters")
        aws.secrets().put_secret_value(SecretId=secret, SecretString=FIRST)
        async with asyncio.timeout(WITHIN_S):
            assert await starting == (FIRST,)
    assert health.not_ready() == []
