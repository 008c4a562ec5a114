output "service_name" {
  description = "Name of the ECS service."
  value       = module.task.service_name
}

output "log_group" {
  description = "Name of the log group."
  value       = module.task.log_group
}
