"""What stands in for AWS: the calls that transcribe makes, over TLS, each answered after AWS's usual time.

`python -m benchmarks.transcribe_store CERTIFICATE KEY PARAMETERS`: prints the port. The embedded emulator
would need more than the second core at 500 calls. Any session has a header, with these Deepgram parameters;
appends are conditional, as in DynamoDB. `GET /figures` counts the calls.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any, cast, override

import orjson
import uvloop

from benchmarks.tls_peer import serve
from contracts.model import ContactId, SessionId
from contracts.session import INTENTS_SORT_KEY, Callback, MediaStream, SessionHeader

LATENCY_S = {"DynamoDB": 0.005, "AmazonSQS": 0.015, "AWSEvents": 0.015}
"""Until the answer; about what AWS's services take inside a region."""
PREFIX = "session#"


class Store:
    """The answers."""

    def __init__(self, parameters: tuple[tuple[str, str], ...]) -> None:
        self._parameters = parameters
        self._logs: dict[str, dict[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, object]:
        """Status and body."""
        self.calls[operation] += 1
        match operation:
            case "GetItem":
                return 200, self._item(asked["Key"]["pk"]["S"], asked["Key"]["sk"]["S"])
            case "Query":
                log = self._logs.get(asked["ExpressionAttributeValues"][":pk"]["S"], {})
                items = [log[sk] for sk in sorted(log, reverse=True)[: asked["Limit"]]]
                return 200, {"Items": items, "Count": len(items)}
            case "PutItem":
                return self._put(asked["Item"])
            case "BatchGetItem":
                none: dict[str, list[object]] = {table: [] for table in asked["RequestItems"]}
                return 200, {"Responses": none, "UnprocessedKeys": {}}
            case "SendMessageBatch":
                self.entries[operation] += len(asked["Entries"])
                sent = [
                    {"Id": e["Id"], "MessageId": e["Id"], "MD5OfMessageBody": ""} for e in asked["Entries"]
                ]
                return 200, {"Successful": sent}
            case "PutEvents":
                self.entries[operation] += len(asked["Entries"])
                return 200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in asked["Entries"]]}
            case _:
                return 400, {"__type": "UnknownOperationException", "message": operation}

    def _put(self, item: dict[str, Any]) -> tuple[int, object]:
        log = self._logs.setdefault(item["pk"]["S"], {})
        if item["sk"]["S"] in log:
            name = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            return 400, {"__type": name, "message": "The conditional request failed"}
        log[item["sk"]["S"]] = item
        return 200, {}

    def _item(self, pk: str, sk: str) -> object:
        if sk == INTENTS_SORT_KEY or not pk.startswith(PREFIX):
            return {}
        if sk != "header":
            return {"Item": self._logs[pk][sk]} if sk in self._logs.get(pk, {}) else {}
        session_id = pk.removeprefix(PREFIX)
        header = SessionHeader(
            session_id=SessionId(session_id),
            contact_id=ContactId(session_id),
            requested_at_ms=1,
            media=MediaStream(stream_arn="arn:stream", start_fragment_number="1", start_timestamp_ms=1),
            deepgram_parameters=self._parameters,
            callback=Callback(url="https://example.com/"),
        )
        return {"Item": {"pk": {"S": pk}, "sk": {"S": sk}, "body": {"S": header.model_dump_json()}}}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET "):
            figures = {"calls": self._store.calls, "entries": self._store.entries}
            self._write(200, orjson.dumps(figures))
            self._buffer = b""
            return
        lines = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
        fields = {name.lower(): value for name, _, value in lines}
        if len(body) < int(fields["content-length"]):
            return
        self._buffer = b""
        service, _, operation = fields["x-amz-target"].partition(".")
        status, answer = self._store.answer(operation, orjson.loads(body))
        latency_s = LATENCY_S[service.partition("_")[0]]
        asyncio.get_running_loop().call_later(latency_s, self._write, status, orjson.dumps(answer))

    def _write(self, status: int, body: bytes) -> None:
        assert self._transport is not None  # noqa: S101 -- connected
        head = (
            b"HTTP/1.1 %d OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: 1\r\n" % status
        )
        self._transport.write(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _main(certificate: str, key: str, parameters: str) -> None:
    store = Store(tuple((name, value) for name, value in json.loads(parameters)))
    uvloop.run(serve("store", lambda: Connection(store), certificate, key))


if __name__ == "__main__":
    _main(*sys.argv[1:])
