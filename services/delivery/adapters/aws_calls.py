"""The AWS calls that are made for every message, without what the SDK spends on each.

The SDK works out endpoint, user agent, signing key and the answer's shape anew for every call, at more than
the cost of the request itself. Endpoint, region, credentials and authorities are still the SDK's to find; a
call that is not answered by 200 is made again through it, with its retries and its errors.
"""

import json
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiobotocore.session import AioSession
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path

from services.delivery.signature import Keys, Signer

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

MAX_CONNECTIONS = 64
CONNECT_S = 2.0
ANSWER_S = 10.0
"""Longer than a long poll."""
KEEP_S = 12.0
"""Of an idle connection, as in the SDK."""

type Method = Callable[..., Awaitable[dict[str, Any]]]


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
        return await self._call("PutItem", "put_item", parameters)

    async def batch_get_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("BatchGetItem", "batch_get_item", parameters)

    async def receive_message(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("ReceiveMessage", "receive_message", parameters)

    async def delete_message_batch(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("DeleteMessageBatch", "delete_message_batch", parameters)

    async def _call(self, operation: str, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        body = json.dumps(parameters, separators=(",", ":")).encode()
        try:
            answer = await self._post(operation, body)
        except (aiohttp.ClientError, TimeoutError):
            answer = None
        if answer is None:
            return await cast("Method", getattr(self._client, method))(**parameters)
        return json.loads(answer)

    async def _post(self, operation: str, body: bytes) -> bytes | None:
        """The answer's body; None: it was no success."""
        headers = {
            "content-type": self._type,
            "host": self._host,
            "x-amz-target": f"{self._prefix}.{operation}",
        }
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = self._signer.signed(headers, body, await self._current_keys(), at)
        async with self._http.post(self._url, data=body, headers=signed, proxy=self._proxy) as response:
            content = await response.read()
            return content if response.status == HTTPStatus.OK else None

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
