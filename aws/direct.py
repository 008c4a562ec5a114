"""AWS's JSON calls, signed and sent without what the SDK spends on each.

The SDK works out endpoint, user agent, signing key and the answer's shape anew for every call, at several
times the cost of the request itself (docs/performance.md). Endpoint, region, credentials and authorities are
still the SDK's to find, and what is seldom called is still called through it.
"""

import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, NoCredentialsError
from botocore.httpsession import get_cert_path

from aws.answers import NoAnswer, careful, read_answer
from aws.signature import Keys, Signer

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

MAX_CONNECTIONS = 64
CONNECT_S = 2.0
KEEP_S = 12.0
"""Of an idle connection, as in the SDK."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS said."""

    status: int
    body: bytes
    error: str
    """SQS: the error's older name, by which its callers know it, and whose fault it was."""


class DirectCalls:
    """Stands in for `client`: a subclass makes some of its calls by `post`; the others are the client's."""

    def __init__(self, session: AioSession, client: "AioBaseClient", http: aiohttp.ClientSession) -> None:
        self._session = session
        self._client = careful(client)
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

    async def post(self, operation: str, body: bytes) -> Answer:
        """Makes one call, once.

        Args:
            operation: As AWS names it, such as `PutItem`.
            body: JSON of its parameters.

        Raises:
            aiohttp.ClientError: no answer; AWS may have done it.
            TimeoutError: no answer in time; AWS may have done it.
            BotoCoreError: anything else, such as credentials that are expired or not there.
        """
        try:
            return await self._post(operation, body)
        except (BotoCoreError, aiohttp.ClientError, TimeoutError):
            raise
        except Exception as error:  # such as RuntimeError, the SDK's for expired credentials
            raise NoAnswer(operation=operation, cause=type(error).__name__) from error

    async def _post(self, operation: str, body: bytes) -> Answer:
        headers = {
            "content-type": self._type,
            "host": self._host,
            "x-amz-target": f"{self._prefix}.{operation}",
        }
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = self._signer.signed(headers, body, await self._current_keys(), at)
        async with self._http.post(self._url, data=body, headers=signed, proxy=self._proxy) as response:
            error = response.headers.get("x-amzn-query-error", "")
            return Answer(response.status, await response.read(), error)

    def read(self, operation: str, answer: Answer) -> dict[str, Any]:
        """An answer of success.

        Raises:
            NoAnswer: it is none.
        """
        return read_answer(self._client.meta.service_model.operation_model(operation), answer.body)

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
async def connections(session: AioSession, answer_s: float) -> AsyncGenerator[aiohttp.ClientSession]:
    """Connections to AWS, kept for all calls; an answer may take `answer_s`."""
    authorities = session.get_config_variable("ca_bundle") or get_cert_path(verify=True)
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS,
        keepalive_timeout=KEEP_S,
        ssl=ssl.create_default_context(cafile=authorities),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=answer_s, sock_connect=CONNECT_S),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as http:
        yield http
