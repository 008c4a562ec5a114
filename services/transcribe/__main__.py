"""`python -m services.transcribe`."""

import uvloop

from services.transcribe import service
from services.transcribe.settings import Settings
from telemetry import log


def main() -> None:
    """Runs the service with the environment's settings."""
    settings = Settings()  # pyright: ignore[reportCallIssue]  # from the environment
    log.configure(service.SERVICE, settings.log_level)
    uvloop.run(service.run(settings))


if __name__ == "__main__":
    main()
