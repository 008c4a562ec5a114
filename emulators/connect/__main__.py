"""Command line of the emulator."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

import emulators.connect
from emulators.connect.audio import PcmSource, UnreadableAudio, load
from emulators.connect.call import Call, Happening
from emulators.connect.event import Mistake
from emulators.connect.functions import LambdaFunction, RuleTarget, lambda_client
from emulators.connect.instance import MAX_CALLS, open_instance
from emulators.connect.uplink import UplinkRefused


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m emulators.connect",
        description=emulators.connect.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--audio", type=Path, action="append", required=True, help="WAV, FLAC, Ogg …; several: in turn")
    add("--kvs", required=True, metavar="URL", help="the KVS emulator")
    add("--function", required=True, help="name or ARN of the trigger's Lambda function")
    add("--calls", type=int, help=f"how many, at most {MAX_CALLS} (default: one for each file)")
    add("--stagger-s", type=float, default=0.0, help="pause between the starts of two calls")
    for name, of in (("--attribute", "contact attribute"), ("--parameter", "of the Lambda block")):
        add(name, type=_pair, action="append", default=[], metavar="NAME=VALUE", help=of)
    add("--loops", type=int, default=0, help="how often the flow invokes the function again")
    add("--mistake", type=Mistake, choices=list(Mistake), help="let the flow be wrong")
    add("--customer-only", action="store_true", help="the flow streams one direction only")
    add("--stream", help="name of the KVS stream (default: a free one)")
    add("--contact-events", metavar="FUNCTION", help="hand the contact event DISCONNECTED to this function")
    add("--region", default="eu-west-2", help="of the instance's ARN (default %(default)s)")
    add("--account-id", default="111111111111", help="of the instance's ARN (default %(default)s)")
    return made


def _pair(argument: str) -> tuple[str, str]:
    name, sign, value = argument.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=VALUE")
    return name, value


def calls_of(chosen: argparse.Namespace) -> list[Call]:
    """The calls that a command line asks for.

    Raises:
        UnreadableAudio: a file cannot be played.
    """
    audio: Sequence[bytes] = [load(path) for path in chosen.audio]
    count: int = len(audio) if chosen.calls is None else chosen.calls
    return [
        Call(
            source=PcmSource(audio[number % len(audio)]),
            attributes=dict(chosen.attribute),
            parameters=dict(chosen.parameter),
            loops=chosen.loops,
            mistake=chosen.mistake,
            stream_name=chosen.stream,
            customer_only=chosen.customer_only,
        )
        for number in range(count)
    ]


def line_of(happening: Happening) -> str:
    """One JSON line: `event` is connect.started, connect.answered or connect.ended."""
    event = {"event": f"connect.{type(happening).__name__.lower()}"}
    return json.dumps(event | dataclasses.asdict(happening))


async def run(chosen: argparse.Namespace, tell: Callable[[Happening], None]) -> None:
    """Play the calls.

    Raises:
        UnreadableAudio: a file cannot be played.
        ExceptionGroup: of `UplinkRefused` and `ConnectionError`: the KVS emulator is not there for a call.
    """
    calls = calls_of(chosen)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or chosen.region
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(lambda_client(region=region))
        events = chosen.contact_events and RuleTarget(client, chosen.contact_events)
        instance = await stack.enter_async_context(
            open_instance(
                kvs_url=chosen.kvs,
                function=LambdaFunction(client, chosen.function),
                contact_events=events or None,
                region=chosen.region,
                account_id=chosen.account_id,
            )
        )
        await instance.play_all(calls, stagger_s=chosen.stagger_s, tell=tell)


def main() -> int:
    """Entry point; the exit status is 0 when every call was played to its end."""
    chosen = parser().parse_args()
    try:
        uvloop.run(run(chosen, lambda happening: print(line_of(happening), flush=True)))
    except KeyboardInterrupt:
        return 130
    except UnreadableAudio as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ExceptionGroup as group:
        expected, others = group.split((UplinkRefused, ConnectionError))
        if others is not None or expected is None:
            raise
        for error in expected.exceptions:
            print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
