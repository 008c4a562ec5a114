# transcribe: audio from ingest to Deepgram, results into the session's log, the queue and the bus. What its tasks
# are told, what they may do, and what their number follows; `task` makes them.

locals {
  service = {
    port       = var.link_port
    registries = [var.registry_arn]

    environment = {
      SESSIONS_TABLE             = var.table.name
      TRANSCRIPTS_QUEUE_URL      = var.queues["transcripts"].url
      SESSION_REQUESTS_QUEUE_URL = var.queues["session-requests"].url
      SESSION_REQUESTS_DLQ_URL   = var.queues["session-requests-dlq"].url
      LINK_SECRET_ID             = var.link_secret_arn # read again and again, so that a rotation needs no restart
      EVENT_BUS_NAME             = var.bus.name
      DEEPGRAM_API               = var.deepgram_api
      LINK_PORT                  = tostring(var.link_port)
      MAX_SESSIONS               = tostring(var.max_sessions)
      RETENTION_DAYS             = tostring(var.retention_days)
    }
    secrets = { DEEPGRAM_API_KEY = var.deepgram_api_key_arn }

    statements = [
      {
        sid       = "Log"
        actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"]
        resources = [var.table.arn]
      },
      {
        sid       = "Transcripts"
        actions   = ["sqs:SendMessage"]
        resources = [var.queues["transcripts"].arn]
      },
      {
        sid       = "Lease"
        actions   = ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        resources = [var.queues["session-requests"].arn]
      },
      {
        sid       = "DeadRequests"
        actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
        resources = [var.queues["session-requests-dlq"].arn]
      },
      {
        sid       = "LinkSecret"
        actions   = ["secretsmanager:GetSecretValue"]
        resources = [var.link_secret_arn]
      },
      {
        sid       = "Events"
        actions   = ["events:PutEvents"]
        resources = [var.bus.arn]
      },
    ]

    scaling = {
      sessions_per_task = floor(var.max_sessions * 0.7)
    }
  }
}
