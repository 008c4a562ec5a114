"""The worker processes: started with the server, asked over pipes, ended with it."""

import asyncio
import contextlib
import itertools
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from emulators.deepgram.ears import Ear, EarLostError, Ears
from emulators.deepgram.recogniser import Hearing, Listening, Model, Samples
from emulators.deepgram.sphinx.engine import dictionary_path
from emulators.deepgram.sphinx.language import bigram_model, cut_dictionary, joined, read_sentences
from emulators.deepgram.sphinx.recogniser import SPHINX_MODEL
from emulators.deepgram.sphinx.wire import ANSWER, REQUEST, Operation, decode_hearing, encode_listening

SENTENCES = Path(__file__).with_name("sentences.txt")
STOP_TIMEOUT_S = 3.0  # for a worker to end by itself once its input has ended


@dataclass(slots=True, eq=False)
class _Worker:
    """One process. `waiting` holds each lane's outstanding request: a lane has at most one."""

    process: Process
    waiting: dict[int, asyncio.Future[Hearing]] = field(default_factory=dict[int, "asyncio.Future[Hearing]"])
    lanes: int = 0
    lost: bool = False

    async def ask(self, operation: Operation, lane: int, payload: bytes = b"") -> Hearing:
        answer: asyncio.Future[Hearing] = asyncio.get_running_loop().create_future()
        self.waiting[lane] = answer
        try:
            self.tell(operation, lane, payload)
            return await answer
        finally:
            self.waiting.pop(lane, None)

    def tell(self, operation: Operation, lane: int, payload: bytes = b"") -> None:
        if self.lost or self.process.stdin is None:
            raise EarLostError("the worker process has ended")
        # A lane waits for each answer before it asks again, so the pipe holds at most one request per lane.
        self.process.stdin.write(REQUEST.pack(operation, lane, len(payload)) + payload)

    async def read_answers(self) -> None:
        """Hand out answers until the process ends."""
        answers = self.process.stdout
        with contextlib.suppress(asyncio.IncompleteReadError):
            while answers is not None:
                lane, size = ANSWER.unpack(await answers.readexactly(ANSWER.size))
                hearing = decode_hearing(await answers.readexactly(size))
                waiting = self.waiting.get(lane)
                if waiting is not None and not waiting.done():
                    waiting.set_result(hearing)
        self.lost = True
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(EarLostError("the worker process has ended"))

    async def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@dataclass(frozen=True, slots=True)
class _WorkerEar:
    worker: _Worker
    lane: int

    async def accept(self, samples: Samples) -> Hearing:
        return await self.worker.ask(Operation.ACCEPT, self.lane, samples.tobytes())

    async def flush(self) -> Hearing:
        return await self.worker.ask(Operation.FLUSH, self.lane)

    def close(self) -> None:
        self.worker.lanes -= 1
        with contextlib.suppress(EarLostError):
            self.worker.tell(Operation.CLOSE, self.lane)


class SphinxEars:
    """Ears that listen in worker processes; a worker that died is replaced when the next ear is opened."""

    model: Model = SPHINX_MODEL

    def __init__(self, group: asyncio.TaskGroup, command: list[str], workers: int) -> None:
        self._group = group
        self._command = command
        self._count = workers
        self._workers: list[_Worker] = []
        self._starting = asyncio.Lock()
        self._lane_numbers = itertools.count()

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [worker.process.pid for worker in self._workers if not worker.lost]

    async def start(self) -> None:
        """Start the processes that are missing."""
        async with self._starting:
            self._workers = [worker for worker in self._workers if not worker.lost]
            while len(self._workers) < self._count:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=PIPE,
                    stdout=PIPE,
                    start_new_session=True,  # Ctrl-C is for the server, which ends its workers itself
                )
                worker = _Worker(process)
                self._workers.append(worker)
                self._group.create_task(worker.read_answers())

    async def open(self, listening: Listening) -> Ear:
        """Listen to a channel in the worker with the fewest.

        Raises:
            EarLostError: one worker after the other has died.
        """
        for _ in range(self._count):
            try:
                return await self._open(listening)
            except EarLostError:
                continue  # it had died, and nobody had noticed
        return await self._open(listening)

    async def _open(self, listening: Listening) -> Ear:
        await self.start()
        worker = min(self._workers, key=lambda one: one.lanes)
        lane = next(self._lane_numbers)
        await worker.ask(Operation.OPEN, lane, encode_listening(listening))
        worker.lanes += 1
        return _WorkerEar(worker, lane)

    async def stop(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))


@contextlib.asynccontextmanager
async def sphinx_ears(*, workers: int = 2) -> AsyncGenerator[Ears]:
    """Run `workers` recognising processes while the context lasts; the language model is made here."""
    with tempfile.TemporaryDirectory(prefix="demo-vocabulary-") as folder:
        model, dictionary = write_language(Path(folder))
        command = [sys.executable, "-m", "emulators.deepgram.sphinx.worker", str(model), str(dictionary)]
        async with asyncio.TaskGroup() as group:
            ears = SphinxEars(group, command, workers)
            try:
                await ears.start()
                yield ears
            finally:
                await ears.stop()


def write_language(folder: Path) -> tuple[Path, Path]:
    """Make the language model and the dictionary of the demo vocabulary; returns their files."""
    sentences = read_sentences(SENTENCES.read_text())
    model, dictionary = folder / "demo.arpa", folder / "demo.dict"
    model.write_text(bigram_model(joined(sentences)))
    with dictionary_path().open() as lines:
        words = {word for sentence in sentences for word in sentence}
        dictionary.write_text(cut_dictionary(lines, words))
    return model, dictionary
