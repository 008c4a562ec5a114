"""A callback server, as a customer would run one: it records, verifies signatures, and fails on demand.

Every path takes POST and PUT and answers 200, or what a fault says. With secrets, a request whose Standard
Webhooks signature does not verify is answered 401.

    GET    /_emulator/requests?since=N&wait_s=S&limit=L   what was received after number N, oldest first; with
           wait_s answers as soon as there is something, at the latest after S seconds
    GET    /_emulator/count       {"count": N}: of all that was ever received
    DELETE /_emulator/requests    forget what was received
    POST   /_emulator/faults      {"kind": "answer", "status": 503, "retry_after": "2", "delay_s": 0.5,
           "path": "/calls", "count": 3}; kind "drop" cuts the connection, "hang" never answers; without path:
           every path; without count: until cleared
    DELETE /_emulator/faults      clear all faults
"""
