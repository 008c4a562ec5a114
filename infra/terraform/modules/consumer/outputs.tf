output "rule_arn" {
  description = "ARN of the consumer's rule."
  value       = local.rule_arn
}

output "dlq" {
  description = "Name, URL and ARN of the queue for events that the target did not take."
  value = {
    name = local.dlq_name
    url  = aws_sqs_queue.dlq.url
    arn  = local.dlq_arn
  }
}

output "policy_statement" {
  description = "The statement that the target's own policy needs when grant = false (queues)."
  value       = jsonencode(local.queue_policies.target.Statement[1])
}
