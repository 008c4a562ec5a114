"""Whether a session is known to obey: read from its log, after the intents were written."""

from collections.abc import Sequence

from contracts.session import Ended, LogRecord


def is_confirmed(newest: Sequence[LogRecord], revision: int) -> bool:
    """Whether the session sends nothing that the contact's intents of `revision` forbid.

    A session that nobody serves (never claimed, released, over) sends nothing: whoever claims it reads the
    intents before the first byte, and finds what is durable by now.

    Args:
        newest: The two newest records of its log, newest first; fewer when there are no more.
        revision: Of the intents of the session's contact.
    """
    if not newest or any(isinstance(record, Ended) for record in newest[:2]):
        return True
    state = newest[0].state
    return state.writer is None or state.intents_revision >= revision
