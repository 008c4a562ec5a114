import base64
import hashlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from contracts.model import SessionId
from contracts.session import Callback, CallbackMethod
from services.delivery.destination import Destination, read_destination
from services.delivery.webhook import (
    Credentials,
    UnusableSecret,
    WebhookRequest,
    prepare,
    read_signing_key,
    traceparent,
)
from tests.unit.delivery.messages import CONTACT, SESSION, message

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
SPAN = hashlib.sha256(f"{SESSION}-3-2".encode()).hexdigest()[:16]
NOW_S = 1_780_000_000


def request(
    url: str = "https://hooks.example/calls", body: str = "{}", *secrets: str, now_s: int = NOW_S
) -> WebhookRequest:
    credentials = Credentials([read_signing_key(s) for s in secrets])
    return prepare(message(3, 2), body, to(url), credentials, now_s)


def to(url: str, method: CallbackMethod = CallbackMethod.POST) -> Destination:
    return read_destination(Callback(url=url, method=method), [range(1, 65_536)])


def test_the_body_is_deepgrams_and_everything_of_ours_is_a_header() -> None:
    made = request(body='{"type": "Results",  "x": "é"}')
    assert made.body == '{"type": "Results",  "x": "é"}'.encode()
    assert made.method == "POST"
    assert made.headers == {
        "Content-Type": "application/json",
        "User-Agent": "connect-transcription",
        "webhook-id": f"{SESSION}-3-2",
        "webhook-timestamp": str(NOW_S),
        "x-contact-id": CONTACT,
        "x-session-id": SESSION,
        "x-sequence": "3000002",
        "traceparent": f"00-{SESSION}-{SPAN}-01",
    }


def test_the_callbacks_method_is_used() -> None:
    destination = to("https://hooks.example", CallbackMethod.PUT)
    assert prepare(message(1), "{}", destination, Credentials(), NOW_S).method == "PUT"


def test_the_token_is_as_deepgrams_callbacks_have_it() -> None:
    credentials = Credentials(token="ours")
    made = prepare(message(1), "{}", to("https://hooks.example"), credentials, NOW_S)
    assert made.headers["dg-token"] == "ours"
    assert "ours" not in repr(credentials)


@given(st.text(), st.text())
def test_every_session_has_one_valid_trace(session: str, span: str) -> None:
    first, second = (traceparent(SessionId(session), each) for each in (span, "another"))
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first[:36] == second[:36]
    assert first[3:35] != "0" * 32


@given(st.text())
def test_an_independent_verifier_accepts_the_signature(body: str) -> None:
    # The verifier compares the timestamp with its own clock.
    made = request("https://hooks.example", body, SECRET, OTHER, now_s=int(time.time()))
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(made.body, made.headers, json_parse=False)


def test_a_changed_body_or_another_secret_is_not_accepted() -> None:
    made = request("https://hooks.example", "{}", SECRET, now_s=int(time.time()))
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(SECRET).verify("{ }", made.headers)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(OTHER).verify("{}", made.headers)


@pytest.mark.parametrize(
    ("url", "sent_to", "credentials"),
    [
        ("https://user:pass@hooks.example:8443/a?b=c", "https://hooks.example:8443/a?b=c", b"user:pass"),
        ("https://user@hooks.example/", "https://hooks.example/", b"user:"),
        ("https://us%40er:p%3Aa%20s%C3%A9@hooks.example", "https://hooks.example", "us@er:p:a sé".encode()),
        ("https://a:b:c@[2001:db8::1]:443/x", "https://[2001:db8::1]:443/x", b"a:b:c"),
    ],
)
def test_credentials_of_the_url_become_basic_authentication(
    url: str, sent_to: str, credentials: bytes
) -> None:
    made = request(url)
    assert made.url == sent_to
    assert base64.b64decode(made.headers["Authorization"].removeprefix("Basic ")) == credentials


def test_credentials_are_in_no_representation() -> None:
    assert "pass" not in repr(request("https://user:pass@hooks.example/", "{}", SECRET))
    assert "\\x" not in repr(read_signing_key(SECRET))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_!!!!", "whsec_" + "A" * 200])
def test_a_secret_of_the_wrong_form_is_refused(secret: str) -> None:
    with pytest.raises(UnusableSecret):
        read_signing_key(secret)
