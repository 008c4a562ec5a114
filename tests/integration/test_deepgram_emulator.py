"""The running server, with the `websockets` client as its peer."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from emulators.deepgram.faults import Fault, Order
from emulators.deepgram.script import CallScript, encode_call
from emulators.deepgram.server import DeepgramEmulator, Options, serve
from emulators.deepgram.verdict import judge, received_words

KEY = "secret-of-the-test"
STEREO = "?encoding=linear16&sample_rate=8000&channels=2&multichannel=true"
CHUNK_BYTES = 3200  # 100 ms
CLOSE_STREAM = '{"type":"CloseStream"}'
TIMEOUT_S = 10


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[DeepgramEmulator]:
    async with serve(options=Options(key=KEY, max_connections=3, keep_messages=True)) as emulator:
        yield emulator


def dial(server: DeepgramEmulator, query: str = STEREO, key: str = KEY) -> connect:
    return connect(server.url + query, additional_headers={"Authorization": f"Token {key}"}, compression=None)


async def send_call(websocket: ClientConnection, call: CallScript, *, until_s: float | None = None) -> None:
    audio = call.samples.tobytes()
    end = len(audio) if until_s is None else int(until_s * 32_000)
    for at in range(0, end, CHUNK_BYTES):
        await websocket.send(audio[at : min(at + CHUNK_BYTES, end)])


async def read_all(websocket: ClientConnection) -> list[dict[str, Any]]:
    async with asyncio.timeout(TIMEOUT_S):
        return [json.loads(message) async for message in websocket]


async def converse(websocket: ClientConnection, call: CallScript) -> list[dict[str, Any]]:
    await send_call(websocket, call)
    return await read_all(websocket)


async def send_until_blocked(websocket: ClientConnection) -> None:
    async with asyncio.timeout(0.5):
        while True:
            await websocket.send(bytes(1 << 19))


async def transcribe(server: DeepgramEmulator, call: CallScript, query: str = STEREO) -> list[dict[str, Any]]:
    async with dial(server, query) as websocket, asyncio.TaskGroup() as group:
        reading = group.create_task(read_all(websocket))
        await send_call(websocket, call)
        await websocket.send(CLOSE_STREAM)
    assert websocket.close_code == 1000
    return reading.result()


def admin(server: DeepgramEmulator, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"http://{server.host}:{server.port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        return json.load(response)


async def test_a_call_is_transcribed_to_the_sample_and_ends_with_metadata(server: DeepgramEmulator) -> None:
    call = encode_call(1, 30)
    messages = await transcribe(server, call, STEREO + "&interim_results=true&smart_format=true")
    verdict = judge(call.words, received_words(messages))
    assert verdict.clean, verdict
    assert messages[-1]["type"] == "Metadata"
    assert messages[-1]["duration"] == 30.0
    assert any(message.get("is_final") is False for message in messages)
    assert {tuple(m["channel_index"]) for m in messages if m["type"] == "Results"} == {(0, 2), (1, 2)}


async def test_several_calls_at_once_do_not_mix(server: DeepgramEmulator) -> None:
    calls = [encode_call(seed, 15) for seed in range(3)]
    heard = await asyncio.gather(*(transcribe(server, call) for call in calls))
    for call, messages in zip(calls, heard, strict=True):
        assert judge(call.words, received_words(messages)).clean


async def test_one_channel_is_enough(server: DeepgramEmulator) -> None:
    call = encode_call(2, 10)
    async with dial(server, "?encoding=linear16&sample_rate=8000") as websocket:
        await websocket.send(call.samples[:, 1].tobytes())
        await websocket.send(CLOSE_STREAM)
        messages = await read_all(websocket)
    said = [word.text for word in call.words if word.channel == 1]
    assert [word.text for word in received_words(messages)] == said
    assert messages[0]["channel_index"] == [0, 1]


async def test_a_wrong_key_is_refused_with_deepgrams_error(server: DeepgramEmulator) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await dial(server, key="wrong").__aenter__()
    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["dg-error"] == "Invalid credentials."
    body = json.loads(response.body)
    assert body["err_code"] == "INVALID_AUTH"
    assert body["request_id"] == response.headers["dg-request-id"]


async def test_a_flux_model_is_refused_with_its_reason(server: DeepgramEmulator) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await dial(server, STEREO + "&model=flux-general-en").__aenter__()
    assert refused.value.response.status_code == 400
    assert "/v2/listen" in refused.value.response.headers["dg-error"]


async def test_more_than_the_concurrency_limit_is_refused_until_one_ends(server: DeepgramEmulator) -> None:
    held = [await dial(server) for _ in range(3)]
    with pytest.raises(InvalidStatus) as refused:
        await dial(server)
    assert refused.value.response.status_code == 429
    for websocket in held:
        await websocket.close()
    await server.until(lambda seen: all(one.closed_at_ms for one in seen))
    await (await dial(server)).close()


async def test_the_answer_to_the_upgrade_names_the_request(server: DeepgramEmulator) -> None:
    async with dial(server) as websocket:
        assert websocket.response is not None
        assert websocket.response.headers["dg-request-id"] == next(iter(server.observations)).id


async def test_finalize_cuts_the_word_that_is_being_said(server: DeepgramEmulator) -> None:
    call = encode_call(3, 20)
    word = next(w for w in call.words if w.channel == 0)
    middle_s = (word.start_sample + word.end_sample) / 2 / 8000
    async with dial(server) as websocket:
        await send_call(websocket, call, until_s=middle_s)
        await websocket.send('{"type":"Finalize"}')
        await websocket.send(CLOSE_STREAM)
        messages = await read_all(websocket)
    flushed = [m for m in messages if m.get("from_finalize") and m["channel_index"][0] == 0]
    assert flushed[-1]["channel"]["alternatives"][0]["transcript"].endswith(f"{word.text}~cut")


async def test_an_empty_frame_ends_the_stream_for_good(server: DeepgramEmulator) -> None:
    async with dial(server) as websocket:
        await websocket.send(bytes(CHUNK_BYTES))
        await websocket.send(b"")
        assert (await read_all(websocket))[-1]["type"] == "Metadata"
    assert websocket.close_code == 1000


async def test_a_dropped_connection_has_no_close_code_and_says_no_more(server: DeepgramEmulator) -> None:
    await server.order(Order(Fault("drop", after_s=2.0)))
    call = encode_call(4, 10)
    async with dial(server) as websocket:
        with pytest.raises(ConnectionClosed):
            await converse(websocket, call)
        assert websocket.close_code == 1006
    assert next(iter(server.observations)).samples >= 16_000


@pytest.mark.parametrize("code", [1011, 1012])
async def test_an_open_connection_can_be_closed_with_any_code(server: DeepgramEmulator, code: int) -> None:
    async with dial(server, STEREO + "&tag=this") as chosen, dial(server, STEREO + "&tag=other") as other:
        order = Order(Fault("close", code=code, reason="outage"), "all", tag="this")
        assert await server.order(order) == 1
        with pytest.raises(ConnectionClosedError):
            await read_all(chosen)
        assert (chosen.close_code, chosen.close_reason) == (code, "outage")
        await other.send(CLOSE_STREAM)
        assert (await read_all(other))[-1]["type"] == "Metadata"


async def test_a_stalled_server_takes_audio_and_never_answers(server: DeepgramEmulator) -> None:
    await server.order(Order(Fault("stall")))
    call = encode_call(5, 20)
    async with dial(server) as websocket:
        await send_call(websocket, call)
        await websocket.send(CLOSE_STREAM)
        await server.until(lambda seen: all(one.samples == 160_000 for one in seen))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await websocket.recv()


async def test_a_blocked_server_reads_no_more(server: DeepgramEmulator) -> None:
    await server.order(Order(Fault("block")))
    async with dial(server) as websocket:
        with pytest.raises(TimeoutError):
            await send_until_blocked(websocket)
        websocket.transport.abort()
    assert next(iter(server.observations)).samples == 0


async def test_metadata_that_never_comes_leaves_the_connection_open(server: DeepgramEmulator) -> None:
    await server.order(Order(Fault("no_metadata")))
    async with dial(server) as websocket:
        await websocket.send(bytes(CHUNK_BYTES))
        await websocket.send(CLOSE_STREAM)
        kinds = [json.loads(await websocket.recv())["type"] for _ in range(2)]
        assert kinds == ["Results", "Results"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await websocket.recv()


async def test_refusals_can_be_ordered_over_http(server: DeepgramEmulator) -> None:
    path = "/_emulator/faults?kind=refuse&status=503&count=2"
    assert await asyncio.to_thread(admin, server, path, "POST") == {"befallen": 0}
    waiting = await asyncio.to_thread(admin, server, "/_emulator/faults")
    assert [(order["kind"], order["count"]) for order in waiting] == [("refuse", 2)]
    with pytest.raises(InvalidStatus) as refused:
        await dial(server)
    assert refused.value.response.status_code == 503
    await asyncio.to_thread(admin, server, "/_emulator/faults", "DELETE")
    await (await dial(server)).close()


async def test_an_order_that_makes_no_sense_is_refused_over_http(server: DeepgramEmulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(admin, server, "/_emulator/faults?kind=explode", "POST")
    with refused.value as error:
        assert error.code == 400
        assert "kind must be one of" in json.load(error)["error"]


async def test_what_was_sent_and_received_can_be_seen_without_the_key(server: DeepgramEmulator) -> None:
    messages = await transcribe(server, encode_call(6, 10), STEREO + "&tag=seen")
    (seen,) = await asyncio.to_thread(admin, server, "/_emulator/connections")
    assert ["tag", "seen"] in seen["query"]
    assert KEY not in json.dumps(seen)
    assert seen["samples"] == 80_000
    assert seen["opened_at_ms"] <= seen["first_audio_at_ms"] <= seen["closed_at_ms"]
    assert seen["close_code"] == 1000
    results = [m for m in messages if m["type"] == "Results"]
    rows = [row for row in seen["sent"] if row[1] == "Results"]
    assert [row[2:] for row in rows] == [
        [m["channel_index"][0], m["start"], m["duration"], m["is_final"]] for m in results
    ]
    assert all(m["metadata"]["request_id"] == seen["id"] for m in results)
    assert [samples for _, samples in seen["audio"]] == sorted(samples for _, samples in seen["audio"])


async def test_too_fast_audio_is_counted(server: DeepgramEmulator) -> None:
    await transcribe(server, encode_call(7, 20))
    seen = next(iter(server.observations))
    assert seen.pace_violations > 0
    assert seen.pace_worst_ahead_s > 10


async def test_too_fast_audio_is_closed_when_enforced() -> None:
    async with serve(options=Options(enforce_pace=True)) as server, dial(server) as websocket:
        with pytest.raises(ConnectionClosed):
            await converse(websocket, encode_call(8, 20))
        assert websocket.close_code == 1011


async def test_it_speaks_tls() -> None:
    tls, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    for context in (tls, trust):  # a shared secret stands in for a certificate
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("PSK")
    tls.set_psk_server_callback(lambda _identity: b"shared")
    trust.set_psk_client_callback(lambda _hint: ("test", b"shared"))
    async with (
        serve(tls=tls) as server,
        connect(server.url + STEREO, additional_headers={"Authorization": "Token k"}, ssl=trust) as websocket,
    ):
        assert server.url.startswith("wss://")
        await websocket.send(CLOSE_STREAM)
        assert (await read_all(websocket))[-1]["type"] == "Metadata"


async def test_a_restarting_server_says_so() -> None:
    async with serve(options=Options()) as restarting:
        websocket = await dial(restarting)
    with pytest.raises(ConnectionClosedError):
        await websocket.recv()
    assert websocket.close_code == 1012
