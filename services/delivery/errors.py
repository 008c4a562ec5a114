"""What goes wrong outside of this process; whoever meets one of these tries again later."""


class UnreadableItem(Exception):
    """An item of the session store is of a form that a later release writes: that can go on with it."""


class Unavailable(Exception):
    """A service of AWS did not do what was asked of it, for now."""


class QueueUnavailable(Unavailable):
    """SQS: nothing was received, deleted or sent."""


class StoreUnavailable(Unavailable):
    """DynamoDB: nothing was read or written."""


class BusUnavailable(Unavailable):
    """EventBridge: nobody heard of the event."""


class SecretsUnavailable(Unavailable):
    """Secrets Manager: nothing was read."""
