"""The AWS APIs of the emulator, as botocore's `kinesisvideo` and `kinesis-video-media` clients speak them."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emulators.kvs import get_media, selectors
from emulators.kvs.account import Account, now_ms
from emulators.kvs.cursor import Cursor
from emulators.kvs.errors import STATUS, AwsError
from emulators.kvs.stream import Stream
from emulators.kvs.uplink import StreamName

MAX_BODY_BYTES = 64 << 10

type Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,128}$")]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _OfStream(_Input):
    stream_name: StreamName | None = Field(None, alias="StreamName")
    stream_arn: Annotated[str, StringConstraints(max_length=1024)] | None = Field(None, alias="StreamARN")

    def stream(self, account: Account) -> Stream:
        return account.streams.find(name=self.stream_name, arn=self.stream_arn)


class _GetDataEndpoint(_OfStream):
    api_name: str = Field(alias="APIName")


class _CreateStream(_Input):
    stream_name: StreamName = Field(alias="StreamName")


class _ListStreams(_Input):
    max_results: int = Field(10_000, alias="MaxResults", ge=1, le=10_000)


class _StartSelector(_Input):
    kind: Literal[
        "NOW", "EARLIEST", "FRAGMENT_NUMBER", "SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP", "CONTINUATION_TOKEN"
    ] = Field(alias="StartSelectorType")
    after_fragment_number: Digits | None = Field(None, alias="AfterFragmentNumber")
    start_timestamp_s: float | None = Field(None, alias="StartTimestamp")
    continuation_token: Digits | None = Field(None, alias="ContinuationToken")

    def start(self, stream: Stream) -> selectors.Start:
        """Where to begin.

        Raises:
            AwsError: the selector's own field is missing.
            FragmentNotFound: the named fragment is not known.
        """
        match self.kind:
            case "NOW":
                return selectors.latest(stream)
            case "EARLIEST":
                return selectors.earliest()
            case "FRAGMENT_NUMBER" if self.after_fragment_number is not None:
                return selectors.after_fragment(stream, self.after_fragment_number)
            case "CONTINUATION_TOKEN" if self.continuation_token is not None:
                return selectors.after_fragment(stream, self.continuation_token)
            case "SERVER_TIMESTAMP" | "PRODUCER_TIMESTAMP" if self.start_timestamp_s is not None:
                return selectors.Containing(
                    round(self.start_timestamp_s * 1000), by_producer=self.kind == "PRODUCER_TIMESTAMP"
                )
            case _:
                raise AwsError("InvalidArgumentException", f"{self.kind} needs its own field")


class _GetMedia(_OfStream):
    start_selector: _StartSelector = Field(alias="StartSelector")


type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(account: Account) -> list[web.RouteDef]:
    """The routes of both services; they share one address."""
    api = _Api(account)
    return [
        web.post("/getDataEndpoint", _guarded(api.get_data_endpoint)),
        web.post("/describeStream", _guarded(api.describe_stream)),
        web.post("/createStream", _guarded(api.create_stream)),
        web.post("/deleteStream", _guarded(api.delete_stream)),
        web.post("/listStreams", _guarded(api.list_streams)),
        web.post("/getMedia", _guarded(api.get_media)),
    ]


def _guarded(handler: Handler) -> Handler:
    """Refuse unsigned calls, and answer errors as the services do."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return _refusal(AwsError("MissingAuthenticationTokenException", "Missing Authentication Token"))
        try:
            return await handler(request)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return _refusal(AwsError("InvalidArgumentException", f"{where}: {first['msg']}"))
        except AwsError as error:
            return _refusal(error)

    return guarded


def _refusal(error: AwsError) -> web.Response:
    return web.json_response(
        {"Message": error.message},
        status=STATUS[error.code],
        headers={"x-amzn-ErrorType": error.code, "x-amzn-RequestId": str(uuid.uuid4())},
    )


class _Api:
    def __init__(self, account: Account) -> None:
        self._account = account

    async def get_data_endpoint(self, request: web.Request) -> web.Response:
        wanted = _GetDataEndpoint.model_validate_json(await request.read())
        self._account.admit("GetDataEndpoint", wanted.stream(self._account))
        endpoint = self._account.options.data_endpoint or f"{request.scheme}://{request.host}"
        return web.json_response({"DataEndpoint": endpoint})

    async def describe_stream(self, request: web.Request) -> web.Response:
        wanted = _OfStream.model_validate_json(await request.read())
        return web.json_response({"StreamInfo": self._info(wanted.stream(self._account))})

    async def create_stream(self, request: web.Request) -> web.Response:
        wanted = _CreateStream.model_validate_json(await request.read())
        stream = self._account.streams.create(wanted.stream_name, now_ms=now_ms())
        return web.json_response({"StreamARN": stream.arn})

    async def delete_stream(self, request: web.Request) -> web.Response:
        stream = _OfStream.model_validate_json(await request.read()).stream(self._account)
        if stream.audio is not None:
            raise AwsError("ResourceInUseException", f"The stream {stream.name} carries a contact")
        self._account.streams.delete(stream)
        return web.json_response({})

    async def list_streams(self, request: web.Request) -> web.Response:
        wanted = _ListStreams.model_validate_json(await request.read() or b"{}")
        infos = [self._info(stream) for stream in self._account.streams]
        return web.json_response({"StreamInfoList": infos[: wanted.max_results]})

    async def get_media(self, request: web.Request) -> web.StreamResponse:
        wanted = _GetMedia.model_validate_json(await request.read())
        account = self._account
        stream = wanted.stream(account)
        account.admit("GetMedia", stream)
        stream.expire(now_ms=now_ms())
        with account.open_body(stream) as body:
            response = web.StreamResponse(
                headers={"Content-Type": "video/webm", "x-amzn-RequestId": str(uuid.uuid4())}
            )
            response.enable_chunked_encoding()
            try:
                start = wanted.start_selector.start(stream)
            except selectors.FragmentNotFound:
                await response.prepare(request)
                await get_media.write_error(response, 4000)
                return response
            await response.prepare(request)
            cursor = Cursor(stream, start, whole=account.options.delivery == "whole")
            await get_media.send(get_media.Reading(account, stream, cursor, body, response), request)
            return response

    @staticmethod
    def _info(stream: Stream) -> dict[str, object]:
        return {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "Status": "ACTIVE",
            "CreationTime": stream.created_at_ms / 1000,
            "DataRetentionInHours": 0,
            "Version": "1",
        }
