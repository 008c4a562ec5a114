output "name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "ARN of the table, as it is named in policies."
  value       = "arn:${var.stack.partition}:dynamodb:${var.stack.region}:${var.stack.account_id}:table/${var.stack.prefix}-sessions"
}
