# ingest: session requests from the queue, audio from Kinesis Video Streams, on to transcribe. What its tasks are
# told, what they may do, and what their number follows; `task` makes them.

locals {
  service = {
    environment = {
      SESSION_REQUESTS_QUEUE_URL = var.queues["session-requests"].url
      TRANSCRIBE_ENDPOINTS       = var.transcribe_endpoint
      LINK_SECRET_ID             = var.link_secret_arn # read again and again, so that a rotation needs no restart
      MAX_SESSIONS               = tostring(var.max_sessions)
    }

    statements = concat(
      [
        {
          sid       = "Requests"
          actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"]
          resources = [var.queues["session-requests"].arn]
        },
        {
          sid       = "LinkSecret"
          actions   = ["secretsmanager:GetSecretValue"]
          resources = [var.link_secret_arn]
        },
        {
          sid       = "Audio"
          actions   = ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"]
          resources = ["arn:${var.stack.partition}:kinesisvideo:${var.stack.region}:${var.stack.account_id}:stream/${var.stream_prefix}*/*"]
        },
      ],
      length(var.stream_key_arns) == 0 ? [] : [
        {
          sid       = "AudioKey"
          actions   = ["kms:Decrypt"]
          resources = var.stream_key_arns
        },
      ],
    )

    scaling = {
      # Room for the sessions of a task that ends, and for calls that come while a new one starts.
      sessions_per_task = floor(var.max_sessions * 0.7)
      backlog_per_task  = 5
      queue_name        = var.queues["session-requests"].name
    }
  }
}
