output "bus" {
  description = "Name and ARN of the bus."
  value = {
    name = aws_cloudwatch_event_bus.this.name
    arn  = local.bus_arn
  }
}

output "queues" {
  description = "Name, URL and ARN of each queue."
  value = {
    for key, queue in aws_sqs_queue.this : key => {
      name = local.names[key]
      url  = queue.url
      arn  = local.arns[key]
    }
  }
}

output "archive_arn" {
  description = "What `aws events start-replay` takes as its source; null without an archive."
  value       = one(aws_cloudwatch_event_archive.this[*].arn)
}
