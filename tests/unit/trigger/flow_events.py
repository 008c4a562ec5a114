"""Contact flow events as Connect writes them."""

from collections.abc import Mapping

CONTACT_ID = "4a573372-1f28-4e26-b97b-0123456789ab"
STREAM_ARN = (
    "arn:aws:kinesisvideo:eu-west-2:111111111111:stream/alias-connect-example-contact-dddd/1571360125131"
)
FRAGMENT = "91343852333181432392682062642743920146264094"
AUDIO: Mapping[str, object] = {
    "StreamARN": STREAM_ARN,
    "StartTimestamp": "1571360125131",
    "StopTimestamp": None,
    "StartFragmentNumber": FRAGMENT,
}


def flow_event(
    attributes: object = None,
    *,
    contact_id: object = CONTACT_ID,
    audio: object = AUDIO,
    parameters: object = None,
) -> dict[str, object]:
    return {
        "Name": "ContactFlowEvent",
        "Details": {
            "ContactData": {
                "Attributes": {} if attributes is None else attributes,
                "Channel": "VOICE",
                "ContactId": contact_id,
                "CustomerEndpoint": {"Address": "+441234567890", "Type": "TELEPHONE_NUMBER"},
                "InitialContactId": "4a573372-1f28-4e26-b97b-00000000aaaa",
                "InitiationMethod": "INBOUND",
                "InstanceARN": "arn:aws:connect:eu-west-2:111111111111:instance/9308c2a1",
                "LanguageCode": "en-US",
                "MediaStreams": {"Customer": {"Audio": audio}},
                "PreviousContactId": "4a573372-1f28-4e26-b97b-00000000bbbb",
                "Queue": {
                    "ARN": "arn:aws:connect:eu-west-2:111111111111:instance/9308/queue/q1",
                    "Name": "help",
                },
                "SystemEndpoint": {"Address": "+440987654321", "Type": "TELEPHONE_NUMBER"},
            },
            "Parameters": {"action": "start"} if parameters is None else parameters,
        },
    }
