"""The emulator's own interface under /_emulator: producers, what was received, faults."""

import dataclasses

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from emulators.kvs import uplink
from emulators.kvs.account import Account
from emulators.kvs.errors import AwsError
from emulators.kvs.faults import Fault
from emulators.kvs.stream import ContactRecord, Stream
from emulators.kvs.streams import StreamBusy

MAX_MESSAGE_BYTES = 1 << 20
POLICY_VIOLATION = 1008


def routes(account: Account) -> list[web.RouteDef]:
    """See the package's docstring for what each does."""
    admin = _Admin(account)
    return [
        web.get("/_emulator/health", admin.health),
        web.get("/_emulator/streams", admin.streams),
        web.get("/_emulator/streams/{name}", admin.stream),
        web.post("/_emulator/streams/{name}/faults", admin.arm),
        web.delete("/_emulator/streams/{name}/faults", admin.clear),
        web.get(uplink.PATH, admin.uplink),
    ]


class _Admin:
    def __init__(self, account: Account) -> None:
        self._account = account

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "streams": sum(1 for _ in self._account.streams)})

    async def streams(self, _: web.Request) -> web.Response:
        return web.json_response({"streams": [self._summary(stream) for stream in self._account.streams]})

    async def stream(self, request: web.Request) -> web.Response:
        stream = self._find(request)
        fragments = [
            {
                "number": fragment.number,
                "contact_id": fragment.contact_id,
                "producer_ms": fragment.producer_ms,
                "producer_end_ms": fragment.producer_end_ms,
                "first_block_at_ms": fragment.server_ms,
                "last_block_at_ms": fragment.server_end_ms,
                "complete": fragment.complete,
            }
            for fragment in stream.fragments
        ]
        contacts = [dataclasses.asdict(record) for record in stream.contacts]
        return web.json_response(self._summary(stream) | {"contacts": contacts, "fragments": fragments})

    async def arm(self, request: web.Request) -> web.Response:
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response(
                {"error": error.errors(include_url=False, include_context=False)}, status=422
            )
        return web.json_response({"struck": self._account.arm(request.match_info["name"], fault)})

    async def clear(self, request: web.Request) -> web.Response:
        self._account.faults.clear(request.match_info["name"])
        return web.json_response({})

    async def uplink(self, request: web.Request) -> web.WebSocketResponse:
        """A producer's websocket: one contact from its first block to its last."""
        websocket = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE_BYTES)
        await websocket.prepare(request)
        try:
            wish = uplink.Open.model_validate_json(await websocket.receive_str())
            stream, record = self._account.open_contact(wish)
        except (TypeError, ValidationError, StreamBusy, AwsError) as error:
            await websocket.close(code=POLICY_VIOLATION, message=str(error).encode()[:120])
            return websocket
        self._account.uplinks[stream.name] = request
        try:
            opened = uplink.Opened(
                stream_name=stream.name,
                stream_arn=stream.arn,
                start_fragment_number=record.start_fragment_number,
            )
            await websocket.send_str(opened.model_dump_json())
            await self._receive(websocket, stream, record)
        finally:
            del self._account.uplinks[stream.name]
            self._account.end_contact(stream)
        return websocket

    async def _receive(self, websocket: web.WebSocketResponse, stream: Stream, record: ContactRecord) -> None:
        async for message in websocket:
            if message.type is not WSMsgType.BINARY:
                await websocket.close(code=POLICY_VIOLATION, message=b"blocks are binary messages")
                return
            try:
                blocks = uplink.decode(message.data)
            except uplink.MalformedBlocks as error:
                await websocket.close(code=POLICY_VIOLATION, message=str(error).encode()[:120])
                return
            self._account.push(stream, record, blocks)

    def _find(self, request: web.Request) -> Stream:
        try:
            return self._account.streams.find(name=request.match_info["name"], arn=None)
        except AwsError as error:
            raise web.HTTPNotFound(text=error.message) from error

    def _summary(self, stream: Stream) -> dict[str, object]:
        return {
            "name": stream.name,
            "arn": stream.arn,
            "created_at_ms": stream.created_at_ms,
            "active_contact_id": None if stream.audio is None else stream.audio.contact_id,
            "connections": self._account.connections(stream),
            "retained_bytes": sum(fragment.size_bytes for fragment in stream.fragments),
        }
