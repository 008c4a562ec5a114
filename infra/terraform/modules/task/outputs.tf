output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "log_group" {
  description = "Name of the log group."
  value       = local.log_group
}
