"""The end of the process while the session store does not answer."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest

from contracts.link import Open, OpenedSession, Refused
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.deepgram.script import encode_call
from emulators.deepgram.verdict import judge, received_words
from emulators.relay.faults import Fault
from emulators.relay.server import Target, serve
from services.transcribe.adapters.sessions import DRAIN_S
from services.transcribe.service import serving
from services.transcribe.settings import Settings
from tests.integration.delivery.in_between import in_between
from tests.integration.delivery.surroundings import become
from tests.integration.transcribe.conftest import SECRET
from tests.integration.transcribe.link_client import Caller, Peer, dial
from tests.integration.transcribe.outcome import log_of, messages_of, put_header, request

DYNAMODB = "AWS_ENDPOINT_URL_DYNAMODB"
ALL = "AWS_ENDPOINT_URL"


async def claimed(peer: Peer) -> OpenedSession:
    """The session, once the log's last writer counts as dead."""
    async with asyncio.timeout(20):
        while isinstance(answer := await peer.open(1, request("s")), Refused):
            pass
    return answer


async def test_a_process_ends_in_time_though_the_store_is_silent_and_its_successor_loses_nothing(
    aws: AwsEndpoint, stack: Resources, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = encode_call(7, 8)
    for name in ("s", "t"):
        put_header(aws, stack, name)
    t0_ms = int(time.time() * 1000)
    async with serve({"dynamodb": Target(aws.host, aws.port)}) as running, AsyncExitStack() as first:
        relay = running.relays["dynamodb"]
        monkeypatch.setenv(DYNAMODB, f"http://127.0.0.1:{relay.port}")
        port = await first.enter_async_context(serving(settings))
        async with dial(port, SECRET) as peer:
            opened = await claimed(peer)
            caller = Caller(peer, opened, script.samples.tobytes(), t0_ms)
            await caller.play(until=4 * 8_000)
            async with asyncio.timeout(20):  # until something was heard and logged
                while not [one for one in await asyncio.to_thread(log_of, aws, stack, "s") if one.n > 2]:
                    pass
            relay.befall(Fault(kind="hold", seconds=120))
            await peer.send(Open(handle=2, request=request("t"), message_id="m2", receipt_handle="r2"))
            await caller.play(until=6 * 8_000)
            began_at = time.monotonic()
            await first.aclose()
            assert time.monotonic() - began_at < 2 * DRAIN_S
    monkeypatch.delenv(DYNAMODB)
    async with serving(settings) as port, dial(port, SECRET) as peer:
        opened = await claimed(peer)
        assert opened.epoch > 1
        closed = await Caller(peer, opened, script.samples.tobytes(), t0_ms).finish()
        assert closed.disposition == "delete"
    messages = {(each.n, each.k): each for each in messages_of(aws, stack)}
    finals = [json.loads(each.message or "") for _, each in sorted(messages.items()) if each.kind == "final"]
    assert judge(script.words, received_words(finals), tolerance_samples=1).clean


async def test_an_aws_that_answers_nonsense_ends_neither_process_nor_session(
    aws: AwsEndpoint, stack: Resources, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = encode_call(7, 3)
    put_header(aws, stack, "s")
    t0_ms = int(time.time() * 1000)
    async with in_between(aws.url) as between:
        monkeypatch.setenv(ALL, between.url)
        async with serving(settings) as port, dial(port, SECRET) as peer:
            opened = await claimed(peer)
            for nonsense in ("<html>Please sign in</html>", "[]"):
                between.nonsense = nonsense
                await become(lambda: "BatchGetItem" in between.fooled, True)
                await peer.send(Open(handle=2, request=request("t"), message_id="m2", receipt_handle="r2"))
                assert isinstance(await peer.next(2), Refused)
                between.nonsense = None
                between.fooled.clear()
            closed = await Caller(peer, opened, script.samples.tobytes(), t0_ms).finish()
            assert closed.disposition == "delete"
    monkeypatch.delenv(ALL)
    finals = [json.loads(each.message or "") for each in messages_of(aws, stack) if each.kind == "final"]
    assert judge(script.words, received_words(finals), tolerance_samples=1).clean
