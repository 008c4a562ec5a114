"""`python -m services.ingest`: runs until SIGTERM or SIGINT."""

import uvloop

from services.ingest.service import run
from services.ingest.settings import Settings
from telemetry import log


def main() -> None:
    """Reads the environment and serves."""
    settings = Settings()  # pyright: ignore[reportCallIssue]  # from the environment
    log.configure("ingest", settings.log_level)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
