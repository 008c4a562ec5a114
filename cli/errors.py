"""Why a command cannot be done, and the exit code that says so."""


class CommandFailed(Exception):
    """One sentence for the operator; the command ends with `exit_code`."""

    exit_code = 1


class NotFound(CommandFailed):
    """There is no such contact, session, or transcript."""


class WrongUsage(CommandFailed):
    """The command was not given what it needs."""

    exit_code = 2


class AwsUnavailable(CommandFailed):
    """AWS cannot be asked: credentials, region, permissions, network, or no such table."""

    exit_code = 3
