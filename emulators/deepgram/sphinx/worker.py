"""One worker process: recognises for several lanes, asked through its standard input until that ends.

The end of the input is the end of the process, so that no worker outlives its server, however that dies.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from emulators.deepgram.recogniser import Hearing, Listening, Recogniser
from emulators.deepgram.sphinx.engine import make_decoder, make_endpointer
from emulators.deepgram.sphinx.recogniser import SphinxRecogniser
from emulators.deepgram.sphinx.wire import ANSWER, REQUEST, Operation, decode_listening, encode_hearing


def work(requests: BinaryIO, answers: BinaryIO, make: Callable[[Listening], Recogniser]) -> None:
    """Serve requests until their stream ends."""
    lanes: dict[int, Recogniser] = {}
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        operation, lane, size = REQUEST.unpack(header)
        payload = requests.read(size)
        if len(payload) < size:
            return
        match Operation(operation):
            case Operation.OPEN:
                lanes[lane] = make(decode_listening(payload))
                hearing = Hearing(0)
            case Operation.ACCEPT:
                hearing = lanes[lane].accept(np.frombuffer(payload, np.int16))
            case Operation.FLUSH:
                hearing = lanes[lane].flush()
            case Operation.CLOSE:
                del lanes[lane]
                continue
        answer = encode_hearing(hearing)
        answers.write(ANSWER.pack(lane, len(answer)) + answer)
        answers.flush()


def main() -> None:
    """Run as `python -m emulators.deepgram.sphinx.worker MODEL DICTIONARY`."""
    model, dictionary = (Path(argument) for argument in sys.argv[1:3])

    def make(listening: Listening) -> Recogniser:
        return SphinxRecogniser(listening, make_decoder(model, dictionary), make_endpointer)

    work(sys.stdin.buffer, sys.stdout.buffer, make)


if __name__ == "__main__":
    main()
