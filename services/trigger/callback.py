"""The callback that a flow names: one usable URL, or none."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from contracts.model import ContactId
from contracts.session import Callback, CallbackMethod, is_host
from services.trigger.refusal import Reason, Refused

CONTACT_ID = "{contact-id}"
SCHEMES = frozenset({"http", "https", "ws", "wss"})
MAX_URL_CHARACTERS = 2_048
_UNPRINTABLE_OR_AMBIGUOUS = re.compile(r"[\s\x00-\x20\x7f\\]")
"""What some URL parsers drop or turn around, and others keep."""


def read_callback(
    urls: Sequence[str], methods: Sequence[str], default: str | None, contact_id: ContactId
) -> Callback | None:
    """The callback; None when neither the flow nor the operator names one.

    Args:
        urls: Elements of `dg_callback`; an empty one means none, the operator's neither.
        methods: Elements of `dg_callback_method`.
        default: The operator's callback.
        contact_id: Put in the place of every `{contact-id}`.

    Raises:
        Refused: several callbacks, or one that cannot be used.
    """
    if len(urls) > 1:
        raise Refused(
            Reason.SEVERAL_CALLBACKS,
            "dg_callback names several URLs; name one, and write spaces inside it as %20.",
        )
    template = urls[0] if urls else default
    if not template:
        return None
    return Callback(url=_usable(template.replace(CONTACT_ID, contact_id)), method=_method(methods))


def _usable(url: str) -> str:
    explanation = _what_is_wrong(url)
    if explanation:
        raise Refused(Reason.UNUSABLE_CALLBACK, f"The callback URL {explanation}.")
    return url


def _what_is_wrong(url: str) -> str | None:
    if len(url) > MAX_URL_CHARACTERS:
        return f"is longer than {MAX_URL_CHARACTERS} characters"
    if _UNPRINTABLE_OR_AMBIGUOUS.search(url):
        return "has white space, a control character or a backslash in it"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "has a host or port that cannot be read"
    if parts.scheme not in SCHEMES:
        return "does not begin with https://, http://, wss:// or ws://"
    if not host:
        return "has no host"
    if not is_host(host) or port == 0:
        return "has a host or port that cannot be reached (a name has 253 characters at most, a part 63)"
    return None


def _method(methods: Sequence[str]) -> CallbackMethod:
    if len(methods) > 1 or (methods and methods[0].upper() not in {"", *CallbackMethod}):
        raise Refused(Reason.UNKNOWN_CALLBACK_METHOD, "dg_callback_method is neither post nor put.")
    return CallbackMethod(methods[0].upper()) if methods and methods[0] else CallbackMethod.POST
