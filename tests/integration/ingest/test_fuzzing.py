"""A sample of what `make fuzz` does."""

import random
import secrets

from tests.integration.ingest.fuzzing import batch, mutated

SAMPLE = 1_500


def test_an_input_is_made_from_its_number_alone() -> None:
    random.seed(secrets.randbits(32))
    assert mutated(77) == mutated(77)


def test_mutated_streams_neither_crash_nor_hang_nor_grow() -> None:
    batch(0, SAMPLE)


def test_other_mutated_streams_each_time() -> None:
    batch(1_000_000 + secrets.randbelow(1 << 40), SAMPLE)
