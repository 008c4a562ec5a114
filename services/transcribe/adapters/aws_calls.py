"""The AWS calls that every session makes again and again, without what the SDK spends on each.

The SDK works out endpoint, user agent, signing key and the answer's shape anew for every call, at several
times the cost of the request itself (docs/performance.md). Endpoint, region, credentials and authorities are
still the SDK's to find, and what is seldom called is still called through it.
"""

import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import get_cert_path

from services.transcribe.signature import Keys, Signer

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

MAX_CONNECTIONS = 64
CONNECT_S = 2.0
ANSWER_S = 5.0
"""Short: a session tries again by itself, and in between its order waits."""
KEEP_S = 12.0
"""Of an idle connection, as in the SDK."""
_AGAIN = frozenset({500, 502, 503, 504})
"""Asked a second time at once, as after a lost connection: AWS may close one that was kept as it is used."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    error: str
    """SQS: the error's older name, by which its callers know it, and whose fault it was."""


class AwsCalls:
    """What `client` calls most, directly: takes, gives and raises the same as its methods of these names.

    Everything else is the client's own.
    """

    def __init__(self, session: AioSession, client: "AioBaseClient", http: aiohttp.ClientSession) -> None:
        self._session = session
        self._client = client
        self._http = http
        model = client.meta.service_model
        self._prefix = model.metadata["targetPrefix"]
        self._type = f"application/x-amz-json-{model.metadata['jsonVersion']}"
        self._url = f"{client.meta.endpoint_url.rstrip('/')}/"
        address = urlsplit(self._url)
        self._host = address.netloc
        bypassed = proxy_bypass(address.hostname or "")
        self._proxy = None if bypassed else getproxies().get(address.scheme)
        self._signer = Signer(client.meta.region_name, model.signing_name)
        self._frozen: object = None
        self._keys = Keys("", "")

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    async def put_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("PutItem", parameters)

    async def batch_get_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("BatchGetItem", parameters)

    async def send_message_batch(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("SendMessageBatch", parameters)

    async def put_events(self, **parameters: object) -> dict[str, Any]:
        """EventBridge's."""
        return await self._call("PutEvents", parameters)

    async def _call(self, operation: str, parameters: dict[str, object]) -> dict[str, Any]:
        body = orjson.dumps(parameters, default=_epoch_s, option=orjson.OPT_PASSTHROUGH_DATETIME)
        try:
            answer = await self._post(operation, body)
        except (aiohttp.ClientError, TimeoutError):
            answer = None
        if answer is None or answer.status in _AGAIN:
            try:
                answer = await self._post(operation, body)
            except (aiohttp.ClientError, TimeoutError) as lost:
                raise HTTPClientError(error=lost) from lost
        if answer.status != HTTPStatus.OK:
            raise _refusal(operation, answer)
        return orjson.loads(answer.body)

    async def _post(self, operation: str, body: bytes) -> _Answer:
        headers = {
            "content-type": self._type,
            "host": self._host,
            "x-amz-target": f"{self._prefix}.{operation}",
        }
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = self._signer.signed(headers, body, await self._current_keys(), at)
        async with self._http.post(self._url, data=body, headers=signed, proxy=self._proxy) as response:
            error = response.headers.get("x-amzn-query-error", "")
            return _Answer(response.status, await response.read(), error)

    async def _current_keys(self) -> Keys:
        credentials = await self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen = await credentials.get_frozen_credentials()
        if frozen != self._frozen:
            keys = Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)
            self._frozen, self._keys = frozen, keys
        return self._keys


@asynccontextmanager
async def connections(session: AioSession) -> AsyncGenerator[aiohttp.ClientSession]:
    """Connections to AWS, kept for all calls."""
    authorities = session.get_config_variable("ca_bundle") or get_cert_path(verify=True)
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS,
        keepalive_timeout=KEEP_S,
        ssl=ssl.create_default_context(cafile=authorities),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as http:
        yield http


def direct[Client](session: AioSession, client: Client, http: aiohttp.ClientSession) -> Client:
    """`client` with its frequent calls made directly."""
    return cast("Client", AwsCalls(session, cast("AioBaseClient", client), http))


def _epoch_s(value: object) -> float:
    """AWS's JSON has instants as seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"AWS's JSON has no {type(value).__name__}")


def _refusal(operation: str, answer: _Answer) -> ClientError:
    """The SDK's error for an answer that is one."""
    try:
        body: object = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = None
    fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    code = answer.error.partition(";")[0] or str(fields.get("__type", answer.status)).rpartition("#")[2]
    message = str(fields.get("message", fields.get("Message", "")))
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
