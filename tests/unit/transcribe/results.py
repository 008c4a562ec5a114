"""Deepgram's messages for tests, as its API specification has them."""

import json


def results(
    channel: int,
    start: float,
    duration: float,
    *words: tuple[str, float, float],
    is_final: bool = True,
    **more: object,
) -> str:
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [channel, 2],
            "duration": duration,
            "start": start,
            "is_final": is_final,
            "speech_final": is_final,
            "channel": {
                "alternatives": [
                    {
                        "transcript": " ".join(text for text, _, _ in words),
                        "confidence": 0.98,
                        "words": [
                            {
                                "word": text.lower(),
                                "start": begin,
                                "end": end,
                                "confidence": 0.9,
                                "punctuated_word": text,
                            }
                            for text, begin, end in words
                        ],
                    }
                ]
            },
            "metadata": {"request_id": "r"},
            **more,
        },
        indent=1,  # unlike any serialiser of ours, so that a rewritten body shows
    )
