"""The KVS emulator's quotas, refusals and faults, as AWS's clients see them."""

import asyncio
import contextlib

import aiohttp
import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from emulators.kvs.options import KvsOptions
from emulators.kvs.server import RunningKvs, serve
from tests.integration.kvs_client import CLIENT, READ_TIMEOUT_S, blocks, clients, contact, read, reading, send
from tests.unit.emulators.ebml_reader import fragments_of

PATIENT = KvsOptions(idle_s=30, calls_per_s=100)
UNKNOWN = "arn:aws:kinesisvideo:eu-west-2:111111111111:stream/unknown/1571360125131"


async def code_of(call: object) -> tuple[str, int]:
    """The error of a call that must fail, and its HTTP status."""
    with pytest.raises(ClientError) as caught:
        await call  # pyright: ignore[reportGeneralTypeIssues]  # any client's awaitable
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]  # pyright: ignore[reportTypedDictNotRequiredAccess]


async def arm(kvs: RunningKvs, stream_name: str, **fault: object) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{kvs.base_url}/_emulator/streams/{stream_name}/faults", json=fault) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return (await answer.json())["struck"]


async def test_a_stream_has_three_connections() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        async with reading(media, arn), reading(media, arn):
            async with reading(media, arn):
                assert await code_of(read(media, arn)) == ("ConnectionLimitExceededException", 400)
            async with asyncio.timeout(READ_TIMEOUT_S):
                while kvs.account.connections(next(iter(kvs.account.streams))) == 3:
                    await uplink.send(blocks(1))
            async with reading(media, arn):
                pass


async def test_a_stream_takes_five_calls_a_second() -> None:
    async with (
        serve(KvsOptions(idle_s=0.01)) as kvs,
        clients(kvs) as (video, media),
        contact(kvs) as uplink,
        contact(kvs, "contact-2") as other,
    ):
        arn = uplink.opened.stream_arn
        for _ in range(5):
            assert await read(media, arn) == b""
            await video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")
        assert await code_of(read(media, arn)) == ("ClientLimitExceededException", 400)
        assert await code_of(video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")) == (
            "ClientLimitExceededException",
            400,
        )
        assert await read(media, other.opened.stream_arn) == b""


async def test_unknown_streams_are_not_found() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (video, media), contact(kvs) as uplink:
        another_age = uplink.opened.stream_arn.rsplit("/", 1)[0] + "/1"
        for arn in (UNKNOWN, another_age):
            assert await code_of(read(media, arn)) == ("ResourceNotFoundException", 404)
            assert await code_of(video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")) == (
                "ResourceNotFoundException",
                404,
            )


async def test_a_selector_needs_its_own_field() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        call = media.get_media(
            StreamARN=uplink.opened.stream_arn, StartSelector={"StartSelectorType": "FRAGMENT_NUMBER"}
        )
        assert await code_of(call) == ("InvalidArgumentException", 400)


async def test_calls_must_be_signed() -> None:
    async with serve(PATIENT) as kvs, aiohttp.ClientSession() as session:
        answer = await session.post(f"{kvs.base_url}/getDataEndpoint", json={})
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (
            403,
            "MissingAuthenticationTokenException",
        )


async def test_streams_can_be_made_and_deleted() -> None:
    async with (
        serve(PATIENT) as kvs,
        get_session().create_client("kinesisvideo", endpoint_url=kvs.base_url, **CLIENT) as video,
    ):
        arn = (await video.create_stream(StreamName="made"))["StreamARN"]
        assert await code_of(video.create_stream(StreamName="made")) == ("ResourceInUseException", 400)
        async with contact(kvs, stream_name="made") as uplink:
            assert uplink.opened.stream_arn == arn
            assert await code_of(video.delete_stream(StreamARN=arn)) == ("ResourceInUseException", 400)
        await video.delete_stream(StreamARN=arn)
        assert (await video.list_streams())["StreamInfoList"] == []


async def test_a_drop_cuts_open_bodies() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        await uplink.send(blocks(5))
        async with reading(media, uplink.opened.stream_arn) as body:
            assert await body.read(100)
            assert await arm(kvs, uplink.opened.stream_name, kind="drop") == 1
            with pytest.raises(aiohttp.ClientError):
                await body.read()


async def test_a_fault_can_wait_for_the_next_bodies() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        await send(kvs, uplink, blocks(17))
        assert await arm(kvs, "*", kind="error", code=4503, times=2) == 0
        for _ in range(2):
            whole, error = fragments_of(await read(media, uplink.opened.stream_arn))
            assert len(whole.blocks) == 34
            assert error.tags == {
                "AWS_KINESISVIDEO_ERROR_CODE": "KMS key specified in the stream is unavailable",
                "AWS_KINESISVIDEO_ERROR_ID": "4503",
            }


async def test_a_clean_end_may_come_inside_a_fragment() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        await send(kvs, uplink, blocks(20))
        assert await arm(kvs, uplink.opened.stream_name, kind="end", times=1) == 0
        _, open_fragment = fragments_of(await read(media, uplink.opened.stream_arn))
        assert len(open_fragment.blocks) == 6
        assert open_fragment.trailing_tags == []


async def test_a_frozen_stream_sends_nothing_and_then_everything() -> None:
    async with (
        serve(PATIENT) as kvs,
        clients(kvs) as (_, media),
        contact(kvs) as uplink,
        reading(media, uplink.opened.stream_arn) as body,
        asyncio.timeout(READ_TIMEOUT_S),
    ):
        await arm(kvs, uplink.opened.stream_name, kind="freeze", seconds=0.4)
        await uplink.send(blocks(2))
        thawed = asyncio.ensure_future(body.read(65_536))
        await asyncio.wait([thawed], timeout=0.1)
        assert not thawed.done()
        assert blocks(2)[0].pcm in await thawed


async def test_denied_calls_are_denied_as_often_as_asked() -> None:
    async with serve(PATIENT) as kvs, clients(kvs) as (video, media), contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await arm(kvs, uplink.opened.stream_name, kind="deny", times=2)
        assert await code_of(read(media, arn)) == ("AccessDeniedException", 403)
        assert await code_of(video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")) == (
            "AccessDeniedException",
            403,
        )
        await video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")
        await arm(kvs, "*", kind="deny", times=9, error="ServiceUnavailableException")
        assert await code_of(read(media, arn)) == ("ServiceUnavailableException", 503)
        async with aiohttp.ClientSession() as session:
            await session.delete(f"{kvs.base_url}/_emulator/streams/*/faults")
        async with reading(media, arn):
            pass


async def test_an_unknown_fault_is_refused() -> None:
    async with serve(PATIENT) as kvs, aiohttp.ClientSession() as session:
        answer = await session.post(f"{kvs.base_url}/_emulator/streams/*/faults", json={"kind": "flood"})
        assert answer.status == 422


async def test_stopping_the_server_ends_open_bodies() -> None:
    async with contextlib.AsyncExitStack() as stack:
        kvs = await stack.enter_async_context(serve(PATIENT))
        _, media = await stack.enter_async_context(clients(kvs))
        uplink = await stack.enter_async_context(contact(kvs))
        body = await stack.enter_async_context(reading(media, uplink.opened.stream_arn))
        kvs.account.close()
        async with asyncio.timeout(READ_TIMEOUT_S):
            assert await body.read() == b""
