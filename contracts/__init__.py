"""What crosses a boundary between processes: events, records, queue messages, link frames, audio format.

Everything here is data. Services meet only in this package and in `telemetry`.
"""
