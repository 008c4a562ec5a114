"""The link's secret is rotated in Secrets Manager: no link is lost, new ones are made with the new secret."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from aws.link_secrets import link_secrets
from contracts.link import Open
from embedded.aws import AwsEndpoint, embedded_aws
from services.ingest.adapters.dial import dial, tls_offers
from services.ingest.adapters.links import TranscribeLinks
from services.ingest.errors import LinkFailed
from services.ingest.settings import Endpoint
from services.transcribe.adapters.link import Link, LinkServer
from services.transcribe.inputs import LinkInput
from tests.integration.delivery.surroundings import become

FIRST, SECOND, THIRD = ("first" * 8, "second" * 8, "third" * 8)
OFTEN_S, NEVER_S = 0.05, 3_600.0
WITHIN_S = 20.0
type Shared = Callable[[], Sequence[str]]


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
        link_secrets(None, secret, every_s) as shared,
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
        link_secrets(None, secret, OFTEN_S) as shared,
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
        link_secrets(None, secret, of_the_client_s) as shared,
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
        link_secrets(FIRST, None, NEVER_S) as shared,
        ingest(port, shared) as links,
    ):
        assert links.ready


async def test_a_secret_that_cannot_be_read_or_used_changes_nothing(aws: AwsEndpoint, secret: str) -> None:
    async with link_secrets(None, secret, OFTEN_S) as shared:
        aws.secrets().put_secret_value(SecretId=secret, SecretString="short")
        aws.secrets().put_secret_value(SecretId=secret, SecretString=SECOND)
        await knows(shared, SECOND)  # the previous one is too short to be used
        aws.secrets().put_secret_value(SecretId=secret, SecretString="short")
        aws.secrets().delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        aws.secrets().create_secret(Name=secret, SecretString=THIRD)
        await knows(shared, THIRD)
