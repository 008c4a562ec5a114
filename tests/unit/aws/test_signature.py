"""Signatures, against the SDK's own."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from aws.signature import Keys, Signer

URL = "https://dynamodb.eu-west-2.amazonaws.com/"
HEADERS = {
    "content-type": "application/x-amz-json-1.0",
    "host": urlsplit(URL).netloc,
    "x-amz-target": "DynamoDB_20120810.PutItem",
}


def by_the_sdk(body: bytes, keys: Keys) -> AWSRequest:
    request = AWSRequest(method="POST", url=URL, headers=HEADERS, data=body)
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    SigV4Auth(credentials, "dynamodb", "eu-west-2").add_auth(request)
    return request


@given(
    body=st.binary(max_size=300), secret=st.text("abc/+9", min_size=1), token=st.none() | st.just("t" * 300)
)
def test_a_signature_is_the_sdks(body: bytes, secret: str, token: str | None) -> None:
    keys = Keys("AKID", secret, token)
    theirs = by_the_sdk(body, keys)
    signed = Signer("eu-west-2", "dynamodb").signed(HEADERS, body, keys, theirs.headers["X-Amz-Date"])
    assert signed["authorization"] == theirs.headers["Authorization"]
    assert signed.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")


def test_new_credentials_and_a_new_day_have_a_key_of_their_own() -> None:
    signer = Signer("eu-west-2", "dynamodb")
    moments = [datetime(2026, 1, day, tzinfo=UTC).strftime("%Y%m%dT%H%M%SZ") for day in (2, 3)]
    asked = [(Keys("A", secret), at) for secret in ("s", "t") for at in moments]
    signatures = [signer.signed(HEADERS, b"{}", keys, at)["authorization"] for keys, at in asked]
    alone = [
        Signer("eu-west-2", "dynamodb").signed(HEADERS, b"{}", keys, at)["authorization"]
        for keys, at in asked
    ]
    assert signatures == alone
    assert len(set(signatures)) == len(asked)


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(Keys("A", "hidden", "hidden"))
