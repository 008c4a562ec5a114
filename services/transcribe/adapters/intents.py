"""Reads what is asked of the contacts of all live sessions, about once a second, in batches."""

import asyncio
from collections.abc import Iterable
from itertools import batched
from time import monotonic
from typing import Protocol

from contracts.model import ContactId
from services.transcribe.adapters.session_store import MAX_CONTACTS
from services.transcribe.errors import StoreUnavailable
from services.transcribe.inputs import Input, IntentsRead
from services.transcribe.ports import SessionStore
from telemetry.log import logger

PERIOD_S = 1.0
"""Between two reads: a contact flow waits 4 s for its pause to be confirmed."""


class Obedient(Protocol):
    """A live session."""

    contact_id: ContactId

    def put(self, happened: Input) -> None:
        """Something happened."""
        ...

    def confirm_intents(self, at: float) -> bool:
        """What it was told last held at that moment, too; False: it wants to be told again."""
        ...


class Intents:
    """Tells each session what is asked of its contact: at the beginning, then whenever it changes.

    And once a second that it still is so: a session that does not hear this sends no audio.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._told: dict[Obedient, int | None] = {}
        """Revision that a session knows; None: it waits for the first."""
        self._arrived = asyncio.Event()

    def add(self, session: Obedient) -> None:
        """A session that sends nothing before it is told is there: it is told at once."""
        self._told[session] = None
        self._arrived.set()

    def remove(self, session: Obedient) -> None:
        """The session is over for this process."""
        self._told.pop(session, None)

    async def run(self) -> None:
        """Reads until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + PERIOD_S
            if not await self._read(list(self._told)):
                await asyncio.sleep(PERIOD_S)  # the store is away: those who arrive wait, too
                continue
            while await self._someone_arrives(due_at):
                waiting = [session for session, revision in self._told.items() if revision is None]
                if not await self._read(waiting):
                    break

    async def _someone_arrives(self, until: float) -> bool:
        """False: it is time to read for all."""
        try:
            async with asyncio.timeout_at(until):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    async def _read(self, sessions: Iterable[Obedient]) -> bool:
        """Reads the intents of these sessions' contacts; False: the store is away."""
        asked_at = monotonic()
        by_contact: dict[ContactId, list[Obedient]] = {}
        for session in sessions:
            by_contact.setdefault(session.contact_id, []).append(session)
        try:
            for contact_ids in batched(by_contact, MAX_CONTACTS, strict=False):
                read = await self._store.intents(contact_ids)
                for contact_id, intents in read.items():
                    told = IntentsRead(intents, asked_at)
                    for session in by_contact[contact_id]:
                        self._tell(session, told, intents.revision if intents else 0)
        except StoreUnavailable as error:
            logger().warning("transcribe.intents_unavailable", exc_info=error)
            return False
        return True

    def _tell(self, session: Obedient, told: IntentsRead, revision: int) -> None:
        if session not in self._told:
            return
        if self._told[session] == revision and session.confirm_intents(told.read_at):
            return
        self._told[session] = revision
        session.put(told)
