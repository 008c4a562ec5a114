# The bus, the rule that turns session requests into queue messages, and the archive.

locals {
  source       = "connect-transcription"
  request_type = "Session Requested"
  region_arn   = "${var.stack.region}:${var.stack.account_id}"
  bus_arn      = "arn:${var.stack.partition}:events:${local.region_arn}:event-bus/${var.stack.prefix}"
  rule_arn     = "arn:${var.stack.partition}:events:${local.region_arn}:rule/${var.stack.prefix}"
}

resource "aws_cloudwatch_event_bus" "this" {
  name        = var.stack.prefix
  description = "Session requests and transcript events of ${var.stack.prefix}"
}

# A replay of the archive must never start a call: replayed events carry replay-name.
resource "aws_cloudwatch_event_rule" "session_requests" {
  name           = "session-requests"
  description    = "Session requests to ingest's queue; none that was replayed"
  event_bus_name = aws_cloudwatch_event_bus.this.name

  event_pattern = jsonencode({
    source        = [local.source]
    "detail-type" = [local.request_type]
    "replay-name" = [{ exists = false }]
  })
}

resource "aws_cloudwatch_event_target" "session_requests" {
  rule           = aws_cloudwatch_event_rule.session_requests.name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "queue"
  arn            = aws_sqs_queue.this["session-requests"].arn

  dead_letter_config {
    arn = aws_sqs_queue.this["undelivered"].arn
  }

  # A request older than this is a call that is over: KVS keeps five minutes without retention.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 185
  }
}

# Everything but session requests can be replayed to consumers.
resource "aws_cloudwatch_event_archive" "this" {
  count = var.archive_days > 0 ? 1 : 0

  name             = var.stack.prefix
  description      = "Transcript events of ${var.stack.prefix}; session requests are left out"
  event_source_arn = aws_cloudwatch_event_bus.this.arn
  retention_days   = var.archive_days

  event_pattern = jsonencode({
    source        = [local.source]
    "detail-type" = [{ "anything-but" = [local.request_type] }]
  })
}

# Other accounts may make rules on the bus, and see and change only those that they made
# (EventBridge user guide, "Permissions for event buses").
resource "aws_cloudwatch_event_bus_policy" "this" {
  count = length(var.consumer_accounts) > 0 ? 1 : 0

  event_bus_name = aws_cloudwatch_event_bus.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnRules"
        Effect    = "Allow"
        Principal = { AWS = [for account in var.consumer_accounts : "arn:${var.stack.partition}:iam::${account}:root"] }
        Action = [
          "events:PutRule", "events:DeleteRule", "events:DescribeRule", "events:EnableRule", "events:DisableRule",
          "events:PutTargets", "events:RemoveTargets", "events:ListTargetsByRule", "events:ListTagsForResource",
          "events:TagResource", "events:UntagResource",
        ]
        Resource = "${local.rule_arn}/*"
        # The account that makes a rule owns it; nobody else's can be touched.
        Condition = {
          StringEqualsIfExists = {
            "events:creatorAccount" = "$${aws:PrincipalAccount}"
            "events:source"         = local.source
          }
        }
      },
    ]
  })
}

# Connect publishes the ends and transfers of contacts on the account's default bus.
resource "aws_cloudwatch_event_rule" "contact_events" {
  count = var.contact_events == null ? 0 : 1

  name        = "${var.stack.prefix}-contact-events"
  description = "Ends and transfers of contacts, to the trigger"
  state       = var.contact_events.enabled ? "ENABLED" : "DISABLED"

  event_pattern = jsonencode(merge(
    {
      source        = ["aws.connect"]
      "detail-type" = ["Amazon Connect Contact Event"]
      detail        = { eventType = ["DISCONNECTED", "INITIATED", "CONNECTED_TO_AGENT"] }
    },
    var.contact_events.instance_arn == null ? {} : { resources = [{ prefix = var.contact_events.instance_arn }] },
  ))
}

resource "aws_cloudwatch_event_target" "contact_events" {
  count = var.contact_events == null ? 0 : 1

  rule      = aws_cloudwatch_event_rule.contact_events[0].name
  target_id = "trigger"
  arn       = var.contact_events.function_arn

  dead_letter_config {
    arn = aws_sqs_queue.this["undelivered"].arn
  }

  # Best effort: after a minute the end has been noticed by other means.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 3
  }
}
