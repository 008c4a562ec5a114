"""Errors that callers of the AWS APIs see."""

STATUS = {
    "AccessDeniedException": 403,
    "AccountStreamLimitExceededException": 400,
    "ClientLimitExceededException": 400,
    "ConnectionLimitExceededException": 400,
    "InternalFailure": 500,
    "InvalidArgumentException": 400,
    "InvalidEndpointException": 400,
    "MissingAuthenticationTokenException": 403,
    "NotAuthorizedException": 401,
    "ResourceInUseException": 400,
    "ResourceNotFoundException": 404,
    "ServiceUnavailableException": 503,
}
"""HTTP status of each error (API models of Kinesis Video Streams, and its common errors)."""

IN_BAND = {
    3002: "Error writing to the stream",
    4000: "Requested fragment is not found",
    4500: "Access denied for the stream's KMS key",
    4501: "Stream's KMS key is disabled",
    4502: "Validation error on the stream's KMS key",
    4503: "KMS key specified in the stream is unavailable",
    4504: "Invalid usage of the KMS key specified in the stream",
    4505: "Invalid state of the KMS key specified in the stream",
    4506: "Unable to find the KMS key specified in the stream",
    5000: "Internal error",
}
"""Codes that GetMedia writes as tags into its body, and what they mean (API model of GetMedia)."""


class AwsError(Exception):
    """A call is refused: `code` is one of `STATUS`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
