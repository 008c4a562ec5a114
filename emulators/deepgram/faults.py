"""Faults on demand: which connection is to fail, how, and after how much audio. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from emulators.deepgram.query import Query, Refusal

type Kind = Literal["drop", "close", "stall", "block", "refuse", "no_metadata"]
type Scope = Literal["next", "every", "one", "all"]
_KINDS: tuple[str, ...] = get_args(Kind.__value__)
_SCOPES: tuple[str, ...] = get_args(Scope.__value__)
_ORDERS_LIMIT = 1000
_SENDABLE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}  # RFC 6455, 7.4


class BadFaultError(ValueError):
    """A fault that cannot be ordered, and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a connection.

    drop: the socket is cut (1006). close: closed with `code` and `reason`. stall: read on, never answer
    again. block: read no more, so that the peer's sends fill up. refuse: the handshake gets `status`.
    no_metadata: CloseStream flushes, but neither Metadata nor the close follows.
    """

    kind: Kind
    after_s: float = 0.0  # audio received on the connection before it happens
    code: int = 1011
    reason: str = "NET-0000: emulated fault"
    status: int = 429


@dataclass(frozen=True, slots=True)
class Order:
    """Whom a fault befalls.

    next: the next `count` connections. every: each one from now on. one, all: of those open now.
    With `tag`, only connections whose request carries this tag.
    """

    fault: Fault
    scope: Scope = "next"
    count: int = 1
    tag: str | None = None

    def suits(self, query: Query) -> bool:
        """Whether a connection may be meant."""
        return self.tag is None or self.tag in query.tags()


class Faults:
    """The faults ordered for connections that are still to come."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, order: Order) -> None:
        """Keep an order of scope `next` or `every`; raises `BadFaultError` when there are too many."""
        if len(self._orders) >= _ORDERS_LIMIT:
            raise BadFaultError("too many faults are waiting")
        self._orders.append(order)

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._orders.clear()

    @property
    def waiting(self) -> tuple[Order, ...]:
        """What has not happened yet."""
        return tuple(self._orders)

    def refusal(self, query: Query) -> Refusal | None:
        """Whether this handshake is to be refused; uses an order up."""
        fault = self._take(query, refusing=True)
        return Refusal(fault.status, "EMULATED_FAULT", fault.reason) if fault else None

    def fault(self, query: Query) -> Fault | None:
        """What is to befall this new connection; uses an order up."""
        return self._take(query, refusing=False)

    def _take(self, query: Query, *, refusing: bool) -> Fault | None:
        for n, order in enumerate(self._orders):
            if (order.fault.kind == "refuse") != refusing or not order.suits(query):
                continue
            if order.scope == "next":
                rest = Order(order.fault, "next", order.count - 1, order.tag)
                self._orders[n : n + 1] = [rest] if rest.count else []
            return order.fault
        return None


def parse_order(values: Mapping[str, str]) -> Order:
    """Read an order from the admin API's query: kind, scope, count, tag, after_s, code, reason, status."""
    unknown = set(values) - {"kind", "scope", "count", "tag", "after_s", "code", "reason", "status"}
    if unknown:
        raise BadFaultError(f"unknown parameters: {', '.join(sorted(unknown))}")
    try:
        fault = Fault(
            kind=_kind(values.get("kind", "")),
            after_s=float(values.get("after_s", "0")),
            code=int(values.get("code", "1011")),
            reason=values.get("reason", "NET-0000: emulated fault")[:120],
            status=int(values.get("status", "429")),
        )
        order = Order(
            fault, _scope(values.get("scope", "next")), int(values.get("count", "1")), values.get("tag")
        )
    except ValueError as error:
        raise BadFaultError(str(error)) from error
    if order.count < 1:
        raise BadFaultError("count must be at least 1")
    if fault.kind == "refuse" and order.scope not in ("next", "every"):
        raise BadFaultError("only connections to come can be refused: scope next or every")
    if not 400 <= fault.status <= 599 or fault.code not in _SENDABLE_CODES:
        raise BadFaultError("status must be 400-599 and code one that a peer may send")
    if not (fault.reason.isascii() and fault.reason.isprintable()):
        raise BadFaultError("reason must be printable ASCII")
    return order


def _kind(text: str) -> Kind:
    match text:
        case "drop" | "close" | "stall" | "block" | "refuse" | "no_metadata":
            return text
        case _:
            raise BadFaultError(f"kind must be one of {', '.join(_KINDS)}")


def _scope(text: str) -> Scope:
    match text:
        case "next" | "every" | "one" | "all":
            return text
        case _:
            raise BadFaultError(f"scope must be one of {', '.join(_SCOPES)}")
