"""`connect-transcription`, the operator's command line.

Exit codes: 0 done; 1 no such contact or session; 2 wrong usage; 3 AWS cannot be asked.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from cli import deliveries
from cli.deliveries import Delivery
from cli.errors import CommandFailed, NotFound, WrongUsage
from cli.formats import FORMATS, as_json, as_srt, as_text, as_vtt
from cli.replay_queue import ReplayQueue
from cli.session_store import SessionStore
from cli.transcript import Conversation, converse, in_order
from contracts.model import ContactId, SessionId


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(options.run(options))
        sys.stdout.flush()
    except CommandFailed as failed:
        sys.stderr.write(f"{failed}\n")
        return failed.exit_code
    except BrokenPipeError:
        # whoever read has seen enough; keep the interpreter from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="connect-transcription", description="Looks after live transcription."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    transcript = commands.add_parser(
        "transcript",
        help="print what was said in a call",
        description="Prints the conversation of a contact's sessions, or of one session: both sides, in time"
        " order. Uses the standard AWS settings (AWS_DEFAULT_REGION, AWS_PROFILE, …).",
    )
    transcript.add_argument("id", help="a contact id or a session id")
    transcript.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="for reading, for programs, or captions of one session: WebVTT or SubRip (default: %(default)s)",
    )
    _add_table(transcript)
    transcript.set_defaults(run=_transcript)
    _add_deliveries(
        commands.add_parser(
            "deliveries",
            help="what callbacks are owed: list it, show it, send it again",
            description="Sessions whose transcripts wait for a callback or were given up.",
        )
    )
    return parser


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--table",
        default=os.environ.get("SESSIONS_TABLE"),
        help="table of the session store (default: SESSIONS_TABLE)",
    )


def _add_deliveries(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action")
    listing = actions.add_parser("list", help="endpoints that fail, and sessions that are owed something")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", help="everything about a contact's or endpoint's sessions")
    show.set_defaults(run=_show)
    redrive = actions.add_parser(
        "redrive",
        help="send from the log what was given up or waits",
        description="Asks delivery to send, from the log and in order, what was given up or waits. The ids of"
        " the messages are what they were.",
    )
    redrive.add_argument(
        "--queue",
        default=os.environ.get("TRANSCRIPTS_QUEUE_URL"),
        help="URL of the transcripts queue (default: TRANSCRIPTS_QUEUE_URL)",
    )
    redrive.set_defaults(run=_redrive)
    for action in (listing, show, redrive):
        which = action.add_mutually_exclusive_group(required=action is not listing)
        which.add_argument("--contact", help="of this contact")
        which.add_argument("--session", help="of this session")
        which.add_argument("--endpoint", help="of callbacks to this origin, e.g. https://hooks.example:443")
        _add_table(action)
    for action in (listing, show):
        action.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")


def _list(options: argparse.Namespace) -> str:
    store = _store(options.table)
    found = [each for each in _deliveries(store, options) if each.is_owing]
    disabled = [each for each in store.disabled() if options.endpoint in {None, each.endpoint}]
    form = deliveries.as_json if options.format == "json" else deliveries.as_list
    return form(found, disabled)


def _show(options: argparse.Namespace) -> str:
    found = _deliveries(_store(options.table), options)
    return deliveries.as_json(found, []) if options.format == "json" else deliveries.as_details(found)


def _redrive(options: argparse.Namespace) -> str:
    if not options.queue:
        raise WrongUsage("Which queue? Set TRANSCRIPTS_QUEUE_URL, or give --queue.")
    found = [each for each in _deliveries(_store(options.table), options) if each.is_owing]
    ReplayQueue.connect(options.queue).redrive(
        (each.header.session_id, each.header.contact_id) for each in found
    )
    given_up = sum(len(each.undelivered) for each in found)
    waiting = sum(each.parked is not None for each in found)
    return (
        f"asked for {given_up} given up messages and {waiting} waiting sessions, of {len(found)} sessions\n"
    )


def _deliveries(store: SessionStore, options: argparse.Namespace) -> list[Delivery]:
    if options.contact:
        sessions = store.sessions_of(ContactId(options.contact))
    elif options.session:
        sessions = [SessionId(options.session)]
    else:
        sessions = store.owed(options.endpoint)
    found = [
        Delivery(header, store.mark(session), store.parked(session), store.undelivered(session))
        for session in sessions
        if (header := store.header(session))
    ]
    if not found and (options.contact or options.session):
        raise NotFound(f"There is no {options.contact or options.session}, or it has expired.")
    return found


def _store(table: str | None) -> SessionStore:
    if not table:
        raise WrongUsage("Which table? Set SESSIONS_TABLE, or give --table.")
    return SessionStore.connect(table)


def _transcript(options: argparse.Namespace) -> str:
    form: str = options.format
    conversations = _find(_store(options.table), options.id)
    if form == "json":
        return as_json(conversations)
    if form == "text":
        return as_text(conversations)
    if len(conversations) > 1:
        sessions = ", ".join(each.header.session_id for each in conversations)
        raise WrongUsage(f"The contact has several sessions; name one of them: {sessions}")
    return (as_srt if form == "srt" else as_vtt)(conversations[0])


def _find(store: SessionStore, contact_or_session: str) -> Sequence[Conversation]:
    sessions = store.sessions_of(ContactId(contact_or_session)) or [SessionId(contact_or_session)]
    found: list[Conversation] = []
    for session in sessions:
        header = store.header(session)
        if header:
            found.append(converse(header, store.records(session)))
    if not found:
        raise NotFound(f"There is no contact and no session {contact_or_session}, or it has expired.")
    return in_order(found)


if __name__ == "__main__":
    sys.exit(main())
