output "arn" {
  description = "ARN of the function."
  value       = local.arns["trigger"]
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this["trigger"].function_name
}
