import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.delivery import parked_index_key
from contracts.model import SessionId
from contracts.session import Callback
from services.delivery.destination import Destination, is_allowed_port, read_destination

PORTS = [range(80, 81), range(443, 444), range(8_000, 8_101)]


def read(url: str) -> Destination:
    return read_destination(Callback(url=url), PORTS)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://hooks.example/a/4a573372", "https://hooks.example:443"),
        ("https://Hooks.Example:443/b", "https://hooks.example:443"),
        ("http://hooks.example?x=1", "http://hooks.example:80"),
        ("wss://user:pass@hooks.example/x", "wss://hooks.example:443"),
        ("HTTP://hooks.example:8080", "http://hooks.example:8080"),
        ("https://[2001:db8::1]/x", "https://2001:db8::1:443"),
    ],
)
def test_an_endpoint_is_an_origin(url: str, endpoint: str) -> None:
    found = read(url)
    assert (found.endpoint, found.fault) == (endpoint, None)
    assert "pass" not in repr(found)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://hooks.example/", "unsupported_scheme"),
        ("file:///etc/passwd", "unsupported_scheme"),
        ("gopher://hooks.example:80/", "unsupported_scheme"),
        ("hooks.example", "unsupported_scheme"),
        ("", "unsupported_scheme"),
        ("https://", "unusable_url"),
        ("https://:443/", "unusable_url"),
        ("https://hooks.example:99999/", "unusable_url"),
        ("https://[::1", "unusable_url"),
        (f"https://{'a' * 64}.example/", "unusable_url"),
        (f"https://{'a.' * 126}ab/", "unusable_url"),
        ("https://a..example/", "unusable_url"),
        (f"{'a' * 2_000}://hooks.example/", "unsupported_scheme"),
        ("https://hooks.example:22/", "forbidden_port"),
        ("http://hooks.example:6379/", "forbidden_port"),
    ],
)
def test_what_nothing_may_be_sent_to_says_why(url: str, fault: str) -> None:
    assert read(url).fault == fault


def test_a_host_of_any_length_is_refused_at_once() -> None:
    began_s = time.process_time()
    host = "".join(chr(0x4E00 + at) for at in range(8_000))
    assert read(f"https://{host}/").fault == "unusable_url"
    assert time.process_time() - began_s < 2  # Punycode takes 20 s for it


LONGEST = f"{'ж' * 55}.{'ж' * 55}.{'ж' * 55}.{'ж' * 48}"


@pytest.mark.parametrize(
    "url", [f"https://{'a' * 2_000}/", f"{'a' * 2_000}://h/", f"x://{'ж' * 600}/", f"wss://{LONGEST}:1/"]
)
def test_an_endpoint_fits_into_a_sort_key(url: str) -> None:
    endpoint = read(url).endpoint
    assert 0 < len(parked_index_key(endpoint, SessionId("s" * 32)).sk.encode()) <= 1_024


@given(st.text())
def test_no_url_raises(url: str) -> None:
    read(url)
    read(f"https://{url}")


def test_ports_are_allowed_by_ranges() -> None:
    assert [is_allowed_port(port, PORTS) for port in (80, 8_000, 8_100, 8_101, 22)] == [True] * 3 + [
        False
    ] * 2
