output "log_group" {
  description = "Name of the log group."
  value       = local.log_group
}
