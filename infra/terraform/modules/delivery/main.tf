# delivery: transcripts from the FIFO queue to the callbacks. What its tasks are told, what they may do, and what
# their number follows; `task` makes them.

locals {
  service = {
    environment = merge({
      SESSIONS_TABLE            = var.table.name
      TRANSCRIPTS_QUEUE_URL     = var.queues["transcripts"].url
      TRANSCRIPTS_DLQ_URL       = var.queues["transcripts-dlq"].url
      EVENT_BUS_NAME            = var.bus.name
      CALLBACK_ALLOWED_NETWORKS = join(" ", var.callback_allowed_networks)
      },
      # Read again and again, so that a rotation needs no restart.
      { for name, arn in { CREDENTIALS_SECRET_ID = var.signing_secrets_arn } : name => arn if var.sign },
    )

    statements = concat([
      {
        sid       = "Transcripts"
        actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage"]
        resources = [var.queues["transcripts"].arn]
      },
      {
        sid       = "GivenUp"
        actions   = ["sqs:SendMessage"]
        resources = [var.queues["transcripts-dlq"].arn]
      },
      {
        sid       = "Marks"
        actions   = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]
        resources = [var.table.arn]
      },
      {
        sid       = "Events"
        actions   = ["events:PutEvents"]
        resources = [var.bus.arn]
      },
      ], [
      for arn in [var.signing_secrets_arn] : {
        sid       = "SigningSecrets"
        actions   = ["secretsmanager:GetSecretValue"]
        resources = [arn]
      } if var.sign
    ])

    scaling = {
      backlog_per_task = 500
      queue_name       = var.queues["transcripts"].name
    }
  }
}
