locals {
  # A session's request is received again at every take-over; the log ends what makes no progress.
  max_receive_count = 1000
  visibility_s      = 60
  two_weeks_s       = 1209600

  queues = {
    session-requests     = { fifo = false, dlq = "session-requests-dlq", retention_s = 345600 }
    session-requests-dlq = { fifo = false, dlq = null, retention_s = local.two_weeks_s }
    transcripts          = { fifo = true, dlq = "transcripts-dlq", retention_s = local.two_weeks_s }
    transcripts-dlq      = { fifo = true, dlq = null, retention_s = local.two_weeks_s }
    # What EventBridge could not hand to a target of ours.
    undelivered = { fifo = false, dlq = null, retention_s = local.two_weeks_s }
  }
  names = { for key, queue in local.queues : key => "${var.stack.prefix}-${key}${queue.fifo ? ".fifo" : ""}" }
  arns  = { for key, name in local.names : key => "arn:${var.stack.partition}:sqs:${local.region_arn}:${name}" }

  # The rules that may send to a queue; all other senders are our own roles.
  senders = {
    session-requests = ["${local.rule_arn}/session-requests"]
    undelivered = concat(
      ["${local.rule_arn}/session-requests"],
      var.contact_events == null ? [] : [
        "arn:${var.stack.partition}:events:${local.region_arn}:rule/${var.stack.prefix}-contact-events",
      ],
    )
  }
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = local.names[each.key]
  visibility_timeout_seconds = local.visibility_s
  message_retention_seconds  = each.value.retention_s
  receive_wait_time_seconds  = 20

  # High throughput: the quota counts per message group, and a group is a session.
  fifo_queue            = each.value.fifo ? true : null
  deduplication_scope   = each.value.fifo ? "messageGroup" : null
  fifo_throughput_limit = each.value.fifo ? "perMessageGroupId" : null

  # SSE-SQS, or a key whose policy lets EventBridge use it; never alias/aws/sqs, which EventBridge cannot use.
  sqs_managed_sse_enabled           = var.key_arn == null ? true : null
  kms_master_key_id                 = var.key_arn
  kms_data_key_reuse_period_seconds = var.key_arn == null ? null : 300

  redrive_allow_policy = (
    endswith(each.key, "-dlq")
    ? jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [local.arns[trimsuffix(each.key, "-dlq")]] })
    : jsonencode({ redrivePermission = "denyAll" })
  )
}

# Apart from the queues: a dead-letter queue has to exist before another can name it.
resource "aws_sqs_queue_redrive_policy" "this" {
  for_each = { for key, queue in local.queues : key => queue.dlq if queue.dlq != null }

  queue_url = aws_sqs_queue.this[each.key].url

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this[each.value].arn
    maxReceiveCount     = local.max_receive_count
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  queue_url = aws_sqs_queue.this[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "EncryptedTransportOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = local.arns[each.key]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ],
      [
        for rule_arns in compact([join(",", lookup(local.senders, each.key, []))]) : {
          Sid       = "EventBridge"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = local.arns[each.key]
          Condition = { ArnEquals = { "aws:SourceArn" = split(",", rule_arns) } }
        }
      ],
    )
  })
}
