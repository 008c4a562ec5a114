output "deepgram_api_key_arn" {
  description = "ARN of the secret with the Deepgram API key."
  value       = var.deepgram_api_key_arn == null ? aws_secretsmanager_secret.this["deepgram-api-key"].arn : var.deepgram_api_key_arn
}

output "link_secret_arn" {
  description = "ARN of the secret that ingest and transcribe share."
  value       = var.link_secret_arn == null ? aws_secretsmanager_secret.this["link-secret"].arn : var.link_secret_arn
}

output "signing_secrets_arn" {
  description = "ARN of the secret with the signing secrets; null when nothing is signed."
  value       = !var.sign ? null : var.signing_secrets_arn == null ? aws_secretsmanager_secret.this["signing-secrets"].arn : var.signing_secrets_arn
}
