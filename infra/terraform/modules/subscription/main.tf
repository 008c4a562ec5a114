# Applied by a consumer team in its own account: a bus that takes the transcription's events, a rule on the
# shared bus that sends them there (unless the operator makes it by `consumers`), and a queue to read from.
# Rules that cross accounts have an event bus as their target.

locals {
  region_arn = "${var.stack.region}:${var.stack.account_id}"
  bus_arn    = "arn:${var.stack.partition}:events:${local.region_arn}:event-bus/${var.stack.prefix}"
  rule_arn   = "arn:${var.stack.partition}:events:${local.region_arn}:rule/${var.stack.prefix}/queue"
  names      = { queue = var.stack.prefix, dlq = "${var.stack.prefix}-dlq" }
  arns       = { for key, name in local.names : key => "arn:${var.stack.partition}:sqs:${local.region_arn}:${name}" }
  account_id = split(":", var.source_bus_arn)[4]
  detail_types = jsondecode(
    length(var.detail_types) > 0 ? jsonencode(var.detail_types) : jsonencode([{ "anything-but" = ["Session Requested"] }])
  )
}

resource "aws_cloudwatch_event_bus" "this" {
  name        = var.stack.prefix
  description = "Transcription events from account ${local.account_id}"
}

resource "aws_cloudwatch_event_bus_policy" "this" {
  event_bus_name = aws_cloudwatch_event_bus.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Transcription"
        Effect    = "Allow"
        Principal = { AWS = "arn:${var.stack.partition}:iam::${local.account_id}:root" }
        Action    = "events:PutEvents"
        Resource  = local.bus_arn
        Condition = { StringEquals = { "events:source" = "connect-transcription" } }
      },
    ]
  })
}

# The rule on the shared bus belongs to this account, which the bus's policy allows.
resource "aws_cloudwatch_event_rule" "shared" {
  count = var.self_service ? 1 : 0

  name           = var.stack.prefix
  description    = "Events for account ${var.stack.account_id}"
  event_bus_name = var.source_bus_arn

  event_pattern = jsonencode({
    source        = ["connect-transcription"]
    "detail-type" = local.detail_types
  })
}

resource "aws_cloudwatch_event_target" "shared" {
  count = var.self_service ? 1 : 0

  rule           = aws_cloudwatch_event_rule.shared[0].name
  event_bus_name = var.source_bus_arn
  target_id      = "bus"
  arn            = aws_cloudwatch_event_bus.this.arn
  role_arn       = aws_iam_role.this[0].arn
}

resource "aws_iam_role" "this" {
  count = var.self_service ? 1 : 0

  name        = "${var.stack.prefix}-events"
  description = "EventBridge, from the shared bus to ${var.stack.prefix}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "this" {
  count = var.self_service ? 1 : 0

  name = "bus"
  role = aws_iam_role.this[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:PutEvents", Resource = local.bus_arn }]
  })
}

resource "aws_cloudwatch_event_rule" "queue" {
  name           = "queue"
  description    = "Everything that arrived, to the queue"
  event_bus_name = aws_cloudwatch_event_bus.this.name

  event_pattern = jsonencode({
    source        = ["connect-transcription"]
    "detail-type" = local.detail_types
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule           = aws_cloudwatch_event_rule.queue.name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "queue"
  arn            = aws_sqs_queue.this["queue"].arn

  dead_letter_config {
    arn = aws_sqs_queue.this["dlq"].arn
  }
}

resource "aws_sqs_queue" "this" {
  for_each = local.names

  name                       = each.value
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 60
  sqs_managed_sse_enabled    = true
}

resource "aws_sqs_queue_redrive_policy" "this" {
  queue_url = aws_sqs_queue.this["queue"].url

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this["dlq"].arn
    maxReceiveCount     = 10
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.names

  queue_url = aws_sqs_queue.this[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EncryptedTransportOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "EventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arns[each.key]
        Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
      },
    ]
  })
}
