# delivery: transcripts from the FIFO queue to the callbacks.

module "task" {
  source = "../task"

  stack              = var.stack
  key_arn            = var.key_arn
  name               = "delivery"
  cluster            = var.cluster
  network            = var.network
  image              = var.task.image
  architecture       = var.task.architecture
  cpu                = var.task.cpu
  memory             = var.task.memory
  capacity           = var.task.capacity
  on_ec2             = var.task.on_ec2
  schedules          = var.task.schedules
  stop_timeout_s     = var.task.stop_timeout_s
  log_retention_days = var.task.log_retention_days

  environment = merge(var.task.settings, {
    SESSIONS_TABLE            = var.table.name
    TRANSCRIPTS_QUEUE_URL     = var.queues["transcripts"].url
    TRANSCRIPTS_DLQ_URL       = var.queues["transcripts-dlq"].url
    EVENT_BUS_NAME            = var.bus.name
    CALLBACK_ALLOWED_NETWORKS = join(" ", var.callback_allowed_networks)
    LOG_LEVEL                 = var.task.log_level
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
    min              = var.task.min
    max              = var.task.max
    backlog_per_task = 500
    queue_name       = var.queues["transcripts"].name
  }
}
