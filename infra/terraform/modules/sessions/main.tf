# Headers, logs, intents and delivery marks of all sessions. `expires_at` is written by the services.

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119: encrypted in any case; with a key of the operator's own where customer_key asks for it
  name                        = "${var.stack.prefix}-sessions"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    enabled        = true
    attribute_name = "expires_at"
  }

  point_in_time_recovery {
    enabled = true
  }

  # Without a key of the operator's own, DynamoDB encrypts with a key that AWS owns.
  server_side_encryption {
    enabled     = var.key_arn != null
    kms_key_arn = var.key_arn
  }
}
