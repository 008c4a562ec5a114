"""What surprises the service; expected failures are values."""


class TranscribeError(Exception):
    """Of this service."""


class StoreUnavailable(TranscribeError):
    """The session store did not answer; AWS's fault, worth another try."""


class UnreadableRecord(TranscribeError):
    """The session store holds what this version cannot read; an operator's fault, not worth another try."""


class LinkRefused(TranscribeError):
    """The peer broke the link's protocol; its fault, the link is closed."""
