output "service" {
  description = "What the module task makes the tasks from."
  value       = local.service
}
