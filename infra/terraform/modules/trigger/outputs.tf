output "arn" {
  description = "ARN of the function."
  value       = local.arn
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}
