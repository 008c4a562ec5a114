# The execution role is ECS's own: image, log, secrets at the start. The task role is the service's.

locals {
  secret_keys = concat(var.key_arn == null ? [] : [var.key_arn], var.secret_key_arns)
}

resource "aws_iam_role" "execution" {
  name               = "${local.full_name}-execution"
  description        = "ECS, starting ${local.full_name}"
  assume_role_policy = local.assume_ecs
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${local.log_arn}:*"
        },
      ],
      [for statement in [
        {
          Sid      = "RegistryLogin"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "Image"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = "arn:${var.stack.partition}:ecr:${local.region_arn}:repository/${coalesce(local.repository, "none")}"
        },
      ] : statement if local.repository != null],
      [for statement in [
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = values(var.service.secrets)
        },
      ] : statement if length(var.service.secrets) > 0],
      [for statement in [
        {
          Sid      = "SecretsKey"
          Effect   = "Allow"
          Action   = "kms:Decrypt"
          Resource = local.secret_keys
        },
      ] : statement if length(local.secret_keys) > 0 && length(var.service.secrets) > 0],
    )
  })
}

resource "aws_iam_role" "task" {
  name               = local.full_name
  description        = "The service ${local.full_name}"
  assume_role_policy = local.assume_ecs
}

resource "aws_iam_role_policy" "task" {
  name = "service"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for statement in var.service.statements : {
          Sid      = statement.sid
          Effect   = "Allow"
          Action   = statement.actions
          Resource = statement.resources
        }
      ],
      [for statement in [
        {
          Sid      = "Key"
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = [var.key_arn]
        },
      ] : statement if var.key_arn != null],
      [for statement in [
        {
          Sid      = "SecretKeys"
          Effect   = "Allow"
          Action   = "kms:Decrypt"
          Resource = var.secret_key_arns
        },
      ] : statement if length(var.secret_key_arns) > 0],
    )
  })
}
