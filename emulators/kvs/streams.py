"""All streams of the emulated account, and which of them is free; pure."""

from collections.abc import Iterator

from emulators.kvs.errors import AwsError
from emulators.kvs.options import KvsOptions
from emulators.kvs.stream import ContactRecord, Retention, Stream
from emulators.kvs.uplink import Open


class StreamBusy(Exception):
    """The stream that a producer asked for carries another contact."""


class Streams:
    """The streams by name."""

    def __init__(self, options: KvsOptions) -> None:
        self._options = options
        self._by_name: dict[str, Stream] = {}
        self._retention = Retention(round(options.retention_s * 1000), options.retention_bytes)

    def __iter__(self) -> Iterator[Stream]:
        """All streams, oldest first."""
        return iter(self._by_name.values())

    def create(self, name: str, *, now_ms: int) -> Stream:
        """A new stream.

        Raises:
            AwsError: there is one of that name, or there are too many.
        """
        if name in self._by_name:
            raise AwsError("ResourceInUseException", f"The stream {name} already exists")
        if len(self._by_name) >= self._options.max_streams:
            raise AwsError(
                "AccountStreamLimitExceededException", "The number of streams of the account is used up"
            )
        options = self._options
        arn = f"arn:aws:kinesisvideo:{options.region}:{options.account_id}:stream/{name}/{now_ms}"
        stream = self._by_name[name] = Stream(name, arn, now_ms, self._retention)
        return stream

    def delete(self, stream: Stream) -> None:
        """Forget a stream."""
        del self._by_name[stream.name]

    def find(self, *, name: str | None, arn: str | None) -> Stream:
        """The stream of a name or an ARN.

        Raises:
            AwsError: neither or both are given, or there is no such stream.
        """
        if (name is None) == (arn is None):
            raise AwsError("InvalidArgumentException", "Either StreamName or StreamARN should be defined")
        wanted = name if arn is None else arn.split("/")[1] if arn.count("/") == 2 else ""
        stream = self._by_name.get(wanted or "")
        if stream is None or (arn is not None and stream.arn != arn):
            raise AwsError(
                "ResourceNotFoundException",
                f"The requested stream {name or arn} is not found or not active.",
            )
        return stream

    def open_contact(self, wish: Open, *, now_ms: int, token: str) -> tuple[Stream, ContactRecord]:
        """Give a contact the stream that it names, or the one that has been free for longest, or a new one.

        Args:
            wish: who calls, and how the fragments shall look.
            now_ms: epoch milliseconds.
            token: makes the name of a new stream unique.

        Raises:
            StreamBusy: the named stream carries a contact.
            AwsError: no stream can be made.
        """
        stream = self._named(wish.stream_name, now_ms) or self._free(wish.prefix, now_ms)
        if stream is None:
            stream = self.create(f"{wish.prefix}-contact-{token}", now_ms=now_ms)
        if stream.audio is not None:
            raise StreamBusy(f"the stream {stream.name} carries contact {stream.audio.contact_id}")
        return stream, stream.open_contact(wish.contact_id, wish.instance_id, wish.shape, now_ms=now_ms)

    def expire(self, *, now_ms: int) -> None:
        """Keep to the retention of each stream and to that of all together, oldest first."""
        held_bytes = sum(stream.expire(now_ms=now_ms) for stream in self)
        excess_bytes = held_bytes - self._options.total_retention_bytes
        if excess_bytes <= 0:
            return
        complete = sorted(
            (fragment.server_end_ms, fragment.index, stream.name)
            for stream in self
            for fragment in stream.fragments
            if fragment.complete
        )
        for _, _, name in complete:
            excess_bytes -= self._by_name[name].fragments.popleft().size_bytes
            if excess_bytes <= 0:
                return

    def _named(self, name: str | None, now_ms: int) -> Stream | None:
        if name is None:
            return None
        return self._by_name.get(name) or self.create(name, now_ms=now_ms)

    def _free(self, prefix: str, now_ms: int) -> Stream | None:
        latest_ms = now_ms - round(self._options.reuse_after_s * 1000)
        free = [
            stream
            for stream in self
            if stream.audio is None and stream.freed_at_ms <= latest_ms and stream.name.startswith(prefix)
        ]
        return min(free, key=lambda stream: stream.freed_at_ms, default=None)
