"""Amazon Connect on one machine: plays audio files as calls.

`python -m emulators.connect --audio call.flac --kvs http://127.0.0.1:PORT --function trigger` opens a Kinesis
Video stream on `emulators.kvs`, feeds it at real time (left channel FROM_CUSTOMER, right TO_CUSTOMER),
invokes the function with a ContactFlowEvent as a flow's Lambda block does, prints what it answers as JSON
lines, and plays on to the end; then the stream falls idle. The function is found by the standard AWS
variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, credentials). In tests: `instance.open_instance` and
`Instance.play`.
"""
