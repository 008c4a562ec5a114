"""Lambda on one machine, for functions that run as containers.

`python -m emulators.functions --port 4900` answers Lambda's Invoke API, and hands each event to the runtime
client of the function's image (`AWS_LAMBDA_RUNTIME_API=127.0.0.1:4900`), which asks for it, as on AWS, by
Lambda's runtime API. One function; several containers of it take events in turn.
"""
