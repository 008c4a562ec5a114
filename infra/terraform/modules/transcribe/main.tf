# transcribe: audio from ingest to Deepgram, results into the session's log, the queue and the bus.

module "task" {
  source = "../task"

  stack              = var.stack
  key_arn            = var.key_arn
  name               = "transcribe"
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

  port       = var.link_port
  registries = [var.registry_arn]

  environment = merge(var.task.settings, {
    SESSIONS_TABLE             = var.table.name
    TRANSCRIPTS_QUEUE_URL      = var.queues["transcripts"].url
    SESSION_REQUESTS_QUEUE_URL = var.queues["session-requests"].url
    SESSION_REQUESTS_DLQ_URL   = var.queues["session-requests-dlq"].url
    EVENT_BUS_NAME             = var.bus.name
    DEEPGRAM_API               = var.deepgram_api
    LINK_PORT                  = tostring(var.link_port)
    MAX_SESSIONS               = tostring(var.max_sessions)
    RETENTION_DAYS             = tostring(var.retention_days)
    LOG_LEVEL                  = var.task.log_level
  })
  secrets = {
    LINK_SECRET      = var.link_secret_arn
    DEEPGRAM_API_KEY = var.deepgram_api_key_arn
  }

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
      sid       = "Events"
      actions   = ["events:PutEvents"]
      resources = [var.bus.arn]
    },
  ]

  scaling = {
    min               = var.task.min
    max               = var.task.max
    sessions_per_task = floor(var.max_sessions * 0.7)
  }
}
