# Values arrive through write-only arguments: they are neither in a plan nor in the state. A value is written
# again when its version number grows.

locals {
  # What is made here; a secret that exists already is only named.
  own = {
    for name, existing_arn in {
      deepgram-api-key = var.deepgram_api_key_arn
      link-secret      = var.link_secret_arn
    } : name => name if existing_arn == null
  }
  signing = var.sign && var.signing_secrets_arn == null ? { signing-secrets = "signing-secrets" } : {}
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: the values are given by Deepgram and the operator; a higher version writes a new one
  for_each = merge(local.own, local.signing)

  name                    = "${var.stack.prefix}/${each.key}"
  description             = "${var.stack.prefix}: ${each.key}"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_window_days
}

resource "aws_secretsmanager_secret_version" "deepgram_api_key" {
  count = var.deepgram_api_key_arn == null ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["deepgram-api-key"].id
  secret_string_wo         = var.deepgram_api_key
  secret_string_wo_version = var.versions.deepgram_api_key
}

resource "aws_secretsmanager_secret_version" "link_secret" {
  count = var.link_secret_arn == null ? 1 : 0

  secret_id                = aws_secretsmanager_secret.this["link-secret"].id
  secret_string_wo         = var.link_secret
  secret_string_wo_version = var.versions.link_secret
}

resource "aws_secretsmanager_secret_version" "signing_secrets" {
  count = length(local.signing)

  secret_id                = aws_secretsmanager_secret.this["signing-secrets"].id
  secret_string_wo         = var.signing_secrets
  secret_string_wo_version = var.versions.signing_secrets
}
