output "trigger_arn" {
  description = "ARN of the function: what the flow's Invoke AWS Lambda block names."
  value       = module.trigger.arn
}

output "bus_arn" {
  description = "ARN of the event bus, for consumer teams in other accounts."
  value       = module.events.bus.arn
}

output "archive_arn" {
  description = "What `aws events start-replay` takes as its source."
  value       = module.events.archive_arn
}

output "consumer_rule_arns" {
  description = "Rule of each further consumer: what a replay names to reach that consumer alone."
  value       = { for name, consumer in module.consumer : name => consumer.rule_arn }
}

output "queues" {
  description = "Name, URL and ARN of each queue."
  value       = module.events.queues
}

output "table_name" {
  description = "Name of the session store."
  value       = module.sessions.name
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = module.cluster.cluster.name
}

output "log_groups" {
  description = "Log group of each service on ECS."
  value       = { for name, task in module.task : name => task.log_group }
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard_name
}
