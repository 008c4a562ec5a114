"""`https://` and `wss://` callbacks of a running delivery: whose certificates count, and what a pong is."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, Tls, serve
from tests.integration.delivery.certificates import Certificates, make
from tests.integration.delivery.surroundings import SECRET, Process, Surroundings, arrive, become, ids
from tests.unit.delivery.messages import CONTACT, message

SETTINGS = {"CALLBACK_TIMEOUT_S": "1", "RETRY_FOR_S": "60", "PARK_FROM_S": "5", "DISABLE_AFTER_S": "30"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def process(
    surroundings: Surroundings, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """Trusts the authority, and has a certificate of its own."""
    files = {
        "CALLBACK_CA_FILE": str(certificates.authority),
        "CALLBACK_CLIENT_CERT_FILE": str(certificates.client.certificate),
        "CALLBACK_CLIENT_KEY_FILE": str(certificates.client.key),
    }
    process = Process(surroundings, tmp_path_factory.mktemp("delivery"), {**SETTINGS, **files})
    process.start()
    yield process
    process.stop()


@asynccontextmanager
async def receiving(certificates: Certificates, *, asks: bool = False) -> AsyncGenerator[Receiver]:
    authority = certificates.authority if asks else None
    tls = Tls(certificates.server.certificate, certificates.server.key, authority)
    async with serve(ReceiverOptions(secrets=[SECRET], tls=tls)) as receiver:
        yield receiver


def url(scheme: str, receiver: Receiver) -> str:
    return f"{scheme}://localhost:{receiver.port}/calls"


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("asks", [False, True], ids=["server certificate", "client certificate, too"])
async def test_https_callbacks_of_an_own_authority_are_delivered(
    surroundings: Surroundings, certificates: Certificates, session: str, *, asks: bool
) -> None:
    async with receiving(certificates, asks=asks) as receiver:
        surroundings.add_session(session, url("https", receiver))
        await asyncio.to_thread(surroundings.say, session, 1, 2, 3)
        requests = await arrive(receiver, 3)
        assert ids(requests) == ["1", "2", "3"]
        assert {(each.method, each.signature) for each in requests} == {("POST", "valid")}
        assert len({each.peer_port for each in requests}) == 1
        await become(lambda: surroundings.mark(session), (3, 0))


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("asks", [False, True], ids=["server certificate", "client certificate, too"])
async def test_wss_callbacks_of_an_own_authority_are_delivered(
    surroundings: Surroundings, certificates: Certificates, session: str, *, asks: bool
) -> None:
    async with receiving(certificates, asks=asks) as receiver:
        surroundings.add_session(session, url("wss", receiver))
        now_ms = time.time_ns() // 1_000_000
        places = ((1, 0), (1, 1), (2, 0))
        messages = [message(n, k, session=session, at_ms=now_ms) for n, k in places]
        await asyncio.to_thread(surroundings.send, *messages)
        await become(lambda: surroundings.mark(session), (2, 0))
        texts = receiver.recorder.received
        assert [each.body for each in texts] == [each.message for each in messages]
        assert {each.method for each in texts} == {"TEXT"}
        assert {each.headers["x-contact-id"] for each in texts} == {CONTACT}
        assert len({each.peer_port for each in texts}) == 1


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("kind", ["hang", "drop"])
async def test_over_wss_a_final_counts_as_sent_on_its_pong_and_no_sooner(
    surroundings: Surroundings, certificates: Certificates, session: str, kind: str
) -> None:
    async with receiving(certificates) as receiver:
        receiver.faults.arm(Fault.model_validate({"kind": kind, "count": 1}))
        surroundings.add_session(session, url("wss", receiver))
        now_ms = time.time_ns() // 1_000_000
        interim = message(1, 1, session=session, at_ms=now_ms)
        await asyncio.to_thread(surroundings.send, interim)
        await arrive(receiver, 1)  # it waits for no pong
        await asyncio.to_thread(surroundings.say, session, 2, 3)
        await become(lambda: surroundings.mark(session), (3, 0))
        first, second = (message(n, session=session).message for n in (2, 3))
        texts = receiver.recorder.received
        assert [each.body for each in texts] == [interim.message, first, first, second]
        assert [each.status for each in texts] == [None, None, 200, 200]
        assert len({each.peer_port for each in texts}) == 2


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest.mark.parametrize("trusts", [False, True], ids=["unknown authority", "no certificate to show"])
async def test_a_peer_that_cannot_be_trusted_or_does_not_trust_us_gets_nothing(
    aws: AwsEndpoint, certificates: Certificates, session: str, tmp_path: Path, scheme: str, *, trusts: bool
) -> None:
    surroundings = Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))
    files = {"CALLBACK_CA_FILE": str(certificates.authority)} if trusts else {}
    process = Process(surroundings, tmp_path, {**SETTINGS, **files})
    await asyncio.to_thread(process.start)
    try:
        async with receiving(certificates, asks=trusts) as receiver:
            surroundings.add_session(session, url(scheme, receiver))
            await asyncio.to_thread(surroundings.say, session, 1)
            await become(lambda: process.log.count("delivery.attempt_failed") >= 2, True)
            assert ('"cause": "tls"' in process.log) or trusts
            assert not receiver.recorder.received
            assert surroundings.mark(session) is None
    finally:
        await asyncio.to_thread(process.stop)
