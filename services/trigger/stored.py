"""What became of a header that was to be put into the session store."""

from enum import Enum, auto


class Stored(Enum):
    """Unless it is `UNAVAILABLE`, the header is durable."""

    NEW = auto()
    KNOWN = auto()
    """It was there already, and stays as it is."""
    UNAVAILABLE = auto()
    """The store cannot be reached, or did not answer."""
