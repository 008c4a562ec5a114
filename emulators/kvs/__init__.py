"""Kinesis Video Streams on one machine, for streams that carry Amazon Connect calls.

`python -m emulators.kvs` answers botocore's own `kinesisvideo` (GetDataEndpoint, DescribeStream,
CreateStream, DeleteStream, ListStreams) and `kinesis-video-media` (GetMedia) clients, with the bytes that
Connect's streams have. Calls must be signed (SigV4); the signature itself is accepted as it is.

Its own interface lies under `/_emulator`:

- `GET /_emulator/health`
- `GET /_emulator/streams`, `GET /_emulator/streams/{name}`: what was received and when, by contact
  (`first_block_at_ms` is the wall clock at which the contact's first block was accepted) and by fragment.
- `POST /_emulator/streams/{name}/faults`: faults on demand, as JSON; the name `*` is every stream.
  `{"kind": "drop"}` cuts the connections of open GetMedia bodies; `{"kind": "end"}` ends them cleanly inside
  a fragment; `{"kind": "error", "code": 4500}` ends them with an error code in their tags; with `"times": n`,
  also the next n bodies. `{"kind": "freeze", "seconds": 5}` sends nothing and keeps connections open.
  `{"kind": "deny", "times": 1, "error": "AccessDeniedException"}` refuses the next calls.
- `DELETE /_emulator/streams/{name}/faults`: forget the faults of that name.
- `GET /_emulator/uplink`: the producers' websocket, see `uplink`; `emulators.connect` uses it.
"""
