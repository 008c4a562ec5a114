"""`connect-transcription`, the operator's command line.

Exit codes: 0 done; 1 no such contact or session; 2 wrong usage; 3 AWS cannot be asked.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from cli.errors import CommandFailed, NotFound, WrongUsage
from cli.formats import FORMATS, as_json, as_text, as_vtt
from cli.session_store import SessionStore
from cli.transcript import Conversation, converse, in_order
from contracts.model import ContactId, SessionId


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(_transcript(options.id, options.format, options.table))
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
        " order. Uses the standard AWS settings (AWS_REGION, AWS_PROFILE, …).",
    )
    transcript.add_argument("id", help="a contact id or a session id")
    transcript.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    transcript.add_argument(
        "--table",
        default=os.environ.get("SESSIONS_TABLE"),
        help="table of the session store (default: SESSIONS_TABLE)",
    )
    return parser


def _transcript(contact_or_session: str, form: str, table: str | None) -> str:
    if not table:
        raise WrongUsage("Which table? Set SESSIONS_TABLE, or give --table.")
    conversations = _find(SessionStore.connect(table), contact_or_session)
    if form == "json":
        return as_json(conversations)
    if form == "text":
        return as_text(conversations)
    if len(conversations) > 1:
        sessions = ", ".join(each.header.session_id for each in conversations)
        raise WrongUsage(f"The contact has several sessions; name one of them: {sessions}")
    return as_vtt(conversations[0])


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
