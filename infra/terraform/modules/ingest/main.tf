# ingest: session requests from the queue, audio from Kinesis Video Streams, on to transcribe.

module "task" {
  source = "../task"

  stack              = var.stack
  key_arn            = var.key_arn
  name               = "ingest"
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
    SESSION_REQUESTS_QUEUE_URL = var.queues["session-requests"].url
    TRANSCRIBE_ENDPOINTS       = var.transcribe_endpoint
    MAX_SESSIONS               = tostring(var.max_sessions)
    LOG_LEVEL                  = var.task.log_level
  })
  secrets = { LINK_SECRET = var.link_secret_arn }

  statements = concat(
    [
      {
        sid       = "Requests"
        actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"]
        resources = [var.queues["session-requests"].arn]
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
    min = var.task.min
    max = var.task.max
    # Room for the sessions of a task that ends, and for calls that come while a new one starts.
    sessions_per_task = floor(var.max_sessions * 0.7)
    backlog_per_task  = 5
    queue_name        = var.queues["session-requests"].name
  }
}
