"""What a process says when its settings are not valid: which, and why, never with what value."""

from pydantic import ValidationError

from telemetry import log

EXIT_CODE = 2


def report(service: str, invalid: ValidationError) -> int:
    """Logs `<service>.misconfigured` with the environment variables at fault; returns the exit code."""
    log.configure(service)
    for error in invalid.errors(include_url=False, include_context=False, include_input=False):
        variable = ".".join(str(part) for part in error["loc"][:1]).upper()
        log.logger().error(f"{service}.misconfigured", field=variable, explanation=error["msg"])
    return EXIT_CODE
