# One key for queues, table, secrets and logs. EventBridge cannot send to a queue that is encrypted with the
# key that AWS manages for SQS, because that key's policy cannot name events.amazonaws.com; this one's does.

locals {
  root = "arn:${var.stack.partition}:iam::${var.stack.account_id}:root"
}

resource "aws_kms_key" "this" {
  description             = "${var.stack.prefix}: queues, table, secrets, logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "EventBridgeToQueues"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.stack.account_id } }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.stack.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${var.stack.partition}:logs:${var.stack.region}:${var.stack.account_id}:log-group:*${var.stack.prefix}*"
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.stack.prefix}"
  target_key_id = aws_kms_key.this.key_id
}
