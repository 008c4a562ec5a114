"""`python -m embedded`: makes queues, bus and table at `AWS_ENDPOINT_URL`, and ends."""

import json

from embedded.elsewhere import endpoint, make


def main() -> None:
    """Prints the settings that name what was made."""
    print(json.dumps({"event": "stack.ready", **make(endpoint()).environment}), flush=True)


if __name__ == "__main__":
    main()
