"""AWS's Signature Version 4 of a JSON call. Pure.

Source: AWS IAM, "Create a signed AWS API request": a canonical request, a string to sign, a key that is
derived from the secret for one day, region and service.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of one moment."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """Signs calls of one service in one region; keeps the day's key."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._derived: tuple[Keys, str, bytes] | None = None

    def signed(self, headers: Mapping[str, str], body: bytes, keys: Keys, at: str) -> dict[str, str]:
        """The headers of `POST /` with those that prove who asks.

        Args:
            headers: Names in lower case, `host` among them.
            body: The call's.
            keys: Whose call it is.
            at: The moment, as `20260102T030405Z`.
        """
        full = {**headers, "x-amz-date": at}
        if keys.token is not None:
            full["x-amz-security-token"] = keys.token
        names = sorted(full)
        lines = "".join(f"{name}:{full[name]}\n" for name in names)
        listed = ";".join(names)
        canonical = f"POST\n/\n\n{lines}\n{listed}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(keys, at[:8]), text.encode(), "sha256").hex()
        full["authorization"] = (
            f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return full

    def _key(self, keys: Keys, day: str) -> bytes:
        if self._derived is not None and self._derived[:2] == (keys, day):
            return self._derived[2]
        key = f"AWS4{keys.secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._derived = (keys, day, key)
        return key
