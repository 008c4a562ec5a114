"""What a neighbour one version apart wrote stays readable, and what we write stays what it reads."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts.events import EVENTS
from contracts.link import FROM_INGEST, FROM_TRANSCRIBE, AudioChunk, decode_audio, encode_audio
from contracts.schema import FRAMES_FROM_INGEST, FRAMES_FROM_TRANSCRIBE, QUEUED, RECORDS, STORED
from contracts.session import LOG_RECORD

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden" / "v1"
MODELS = (*EVENTS, *STORED, *RECORDS, *QUEUED, *FRAMES_FROM_INGEST, *FRAMES_FROM_TRANSCRIBE)

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def golden(model: type[BaseModel]) -> str:
    return (GOLDEN / f"{model.__name__}.json").read_text()


def test_there_is_a_golden_file_for_every_model_and_for_nothing_else() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {model.__name__ for model in MODELS}


@each_model
def test_a_golden_document_is_read_and_written_back_without_loss(model: type[BaseModel]) -> None:
    written = json.loads(model.model_validate_json(golden(model)).model_dump_json(by_alias=True))
    stored = json.loads(golden(model))
    assert written == {key: stored[key] for key in written}
    assert set(model.model_json_schema()["properties"]) == set(written)


@each_model
def test_an_unknown_field_is_ignored(model: type[BaseModel]) -> None:
    document = json.loads(golden(model)) | {"a_field_of_the_next_version": 1}
    assert model.model_validate(document) == model.model_validate_json(golden(model))


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
def test_a_record_is_known_by_its_type(model: type[BaseModel]) -> None:
    assert type(LOG_RECORD.validate_json(golden(model))) is model


@pytest.mark.parametrize("model", FRAMES_FROM_INGEST, ids=lambda model: model.__name__)
def test_a_frame_of_ingest_is_known_by_its_type(model: type[BaseModel]) -> None:
    assert type(FROM_INGEST.validate_json(golden(model))) is model


@pytest.mark.parametrize("model", FRAMES_FROM_TRANSCRIBE, ids=lambda model: model.__name__)
def test_a_frame_of_transcribe_is_known_by_its_type(model: type[BaseModel]) -> None:
    assert type(FROM_TRANSCRIBE.validate_json(golden(model))) is model


def test_a_golden_audio_frame_is_read_and_written_to_the_byte() -> None:
    frame = bytes.fromhex((GOLDEN / "audio-frame.hex").read_text())
    chunks = list(decode_audio(frame))
    assert chunks == [
        AudioChunk(handle=7, position_samples=16_000, pcm=b"\x01\x00\xff\xff\x01\x00\xff\xff"),
        AudioChunk(handle=8, position_samples=0, pcm=b"\x02\x00\x03\x00"),
    ]
    assert list(encode_audio(chunks)) == [frame]
