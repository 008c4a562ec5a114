"""What can go wrong outside; the flow may try again."""


class StoreUnavailable(Exception):
    """The session store did not do what it was asked, or nobody knows; the message names no contact."""
