"""`python -m services.ingest`: runs until SIGTERM or SIGINT."""

import sys

import uvloop
from pydantic import ValidationError

from services.ingest import service
from services.ingest.settings import Settings
from telemetry import log, misconfiguration


def main() -> int:
    """Reads the environment and serves; exit code 2 when a setting is not valid."""
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]  # from the environment
    except ValidationError as invalid:
        return misconfiguration.report("ingest", invalid)
    log.configure("ingest", settings.log_level)
    uvloop.run(service.run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
