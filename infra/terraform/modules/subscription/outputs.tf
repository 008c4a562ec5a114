output "bus_arn" {
  description = "ARN of this account's bus: the target_arn of a consumer that the operator makes."
  value       = local.bus_arn
}

output "queue" {
  description = "URL and ARN of the queue that the events arrive in."
  value = {
    url = aws_sqs_queue.this["queue"].url
    arn = local.arns.queue
  }
}
