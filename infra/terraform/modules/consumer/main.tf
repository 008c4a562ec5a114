# One consumer of the bus: its rule, its dead-letter queue, and the permission that its kind of target needs.

locals {
  kind         = split(":", var.target_arn)[2]
  region_arn   = "${var.stack.region}:${var.stack.account_id}"
  rule_name    = "consumer-${var.name}"
  rule_arn     = "arn:${var.stack.partition}:events:${local.region_arn}:rule/${var.bus_name}/${local.rule_name}"
  dlq_name     = "${var.stack.prefix}-consumer-${var.name}-dlq"
  dlq_arn      = "arn:${var.stack.partition}:sqs:${local.region_arn}:${local.dlq_name}"
  target_parts = split(":", var.target_arn)
  is_fifo      = local.kind == "sqs" && endswith(var.target_arn, ".fifo")
  target_url   = var.queue_url != null ? var.queue_url : "https://sqs.${local.target_parts[3]}.amazonaws.com/${local.target_parts[4]}/${local.target_parts[5]}"

  all_but_requests = jsonencode([{ "anything-but" = ["Session Requested"] }])

  # Targets that take a resource policy; all others are reached with a role.
  by_policy = contains(["sqs", "lambda", "sns"], local.kind)
  actions = {
    events   = ["events:PutEvents"]
    kinesis  = ["kinesis:PutRecord", "kinesis:PutRecords"]
    states   = ["states:StartExecution"]
    firehose = ["firehose:PutRecord", "firehose:PutRecordBatch"]
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = local.rule_name
  description    = "Events for the consumer ${var.name}"
  event_bus_name = var.bus_name

  event_pattern = jsonencode(merge(
    {
      source = ["connect-transcription"]
      "detail-type" = jsondecode(
        length(var.detail_types) > 0 ? jsonencode(var.detail_types) : local.all_but_requests
      )
    },
    var.filter == null ? {} : { detail = jsondecode(var.filter) },
  ))
}

resource "aws_cloudwatch_event_target" "this" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.bus_name
  target_id      = "consumer"
  arn            = var.target_arn
  role_arn       = local.by_policy ? null : aws_iam_role.this[0].arn

  dynamic "sqs_target" {
    for_each = local.is_fifo ? [var.name] : []

    content {
      message_group_id = sqs_target.value
    }
  }

  dead_letter_config {
    arn = aws_sqs_queue.dlq.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_sqs_queue" "dlq" {
  name                              = local.dlq_name
  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = var.key_arn == null ? true : null
  kms_master_key_id                 = var.key_arn
  kms_data_key_reuse_period_seconds = var.key_arn == null ? null : 300
}

resource "aws_sqs_queue_policy" "dlq" {
  queue_url = aws_sqs_queue.dlq.url
  policy    = jsonencode(local.queue_policies.dlq)
}

locals {
  queue_policies = {
    for key, arn in { dlq = local.dlq_arn, target = var.target_arn } : key => {
      Version             = "2012-10-17"
      Statement = [
        {
          Sid       = "EncryptedTransportOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "EventBridge"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = arn
          Condition = { ArnEquals = { "aws:SourceArn" = [local.rule_arn] } }
        },
      ]
    }
  }
}

# A queue or topic has one policy: where the target has its own already, `grant = false` leaves it alone, and
# its owner adds the statement that the output `policy_statement` gives.
resource "aws_sqs_queue_policy" "target" {
  count = var.grant && local.kind == "sqs" ? 1 : 0

  queue_url = local.target_url
  policy    = jsonencode(local.queue_policies.target)
}

resource "aws_sns_topic_policy" "target" {
  count = var.grant && local.kind == "sns" ? 1 : 0

  arn = var.target_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = var.target_arn
        Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
      },
    ]
  })
}

resource "aws_lambda_permission" "target" {
  count = var.grant && local.kind == "lambda" ? 1 : 0

  statement_id  = "${var.stack.prefix}-${var.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.target_arn
  principal     = "events.amazonaws.com"
  source_arn    = local.rule_arn
}

resource "aws_iam_role" "this" {
  count = local.by_policy ? 0 : 1

  name        = "${var.stack.prefix}-consumer-${var.name}"
  description = "EventBridge, to the target of the consumer ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = var.stack.account_id } }
      },
    ]
  })
}

resource "aws_iam_role_policy" "this" {
  count = local.by_policy ? 0 : 1

  name = "target"
  role = aws_iam_role.this[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = local.actions[local.kind]
        Resource = var.target_arn
      },
    ]
  })
}
