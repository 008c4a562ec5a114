"""Links that fail on demand: TCP relays in front of other servers of this machine.

`python -m emulators.relay --relay NAME=HOST:PORT …` listens on a port for each name and passes on what comes,
both ways. Its own interface:

- `GET /_emulator/relays`: of each relay its port, and what it passed and spoiled.
- `POST /_emulator/relays/{name}/faults`, as JSON; the name `*` is every relay.
  `{"kind": "hold", "seconds": 8, "then": "release"}` is a black hole: connections stay open, new ones are
  accepted, and not a byte passes in either direction; then all of it passes late, or (`"then": "cut"`) never.
  `{"kind": "cut"}` resets the open connections.
  `{"kind": "fail", "seconds": 4, "share": 0.5}` answers that share of HTTP requests with 500, 503 or a
  throttling error, in the words of AWS's JSON protocols, without passing them on; `{"kind": "lose", …}`
  passes them on and cuts the connection when the answer comes: it was done, and nobody was told.
"""
