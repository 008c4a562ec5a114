# The Lambda function that contact flows invoke, and the same code with another handler, which hears Connect's
# contact events. A zip by default, or an image.

locals {
  name      = "${var.stack.prefix}-trigger"
  log_group = "/aws/lambda/${local.name}"
  functions = {
    trigger = {
      handler     = "services.trigger.handler.handler"
      timeout_s   = 8 # a flow waits no longer
      concurrency = var.reserved_concurrency
      description = "Invoked by contact flows: starts the transcription of a call"
    }
    contact-events = {
      handler     = "services.trigger.handler.contact_event"
      timeout_s   = 15
      concurrency = -1
      description = "Hears from Connect's contact events that calls end or are transferred"
    }
  }
  region_arn = "${var.stack.region}:${var.stack.account_id}"
  arns       = { for key in keys(local.functions) : key => "arn:${var.stack.partition}:lambda:${local.region_arn}:function:${var.stack.prefix}-${key}" }
  in_vpc     = var.network != null
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: how long logs are kept is the operator's choice; a month by default
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_272: the archive is built from hash-locked packages by whoever applies this; signing profiles are the operator's
  #checkov:skip=CKV_AWS_116: contact flows invoke it synchronously: there is no event to keep; contact events have a queue at their rule
  for_each = local.functions

  function_name = "${var.stack.prefix}-${each.key}"
  description   = each.value.description
  role          = aws_iam_role.this.arn
  architectures = [var.architecture == "ARM64" ? "arm64" : "x86_64"]
  timeout       = each.value.timeout_s
  memory_size   = var.memory
  kms_key_arn   = var.key_arn

  package_type     = var.image == null ? "Zip" : "Image"
  image_uri        = var.image
  filename         = var.image == null ? var.zip : null
  source_code_hash = var.image == null ? filebase64sha256(var.zip) : null
  runtime          = var.image == null ? "python3.13" : null
  handler          = var.image == null ? each.value.handler : null

  dynamic "image_config" {
    for_each = var.image == null ? [] : [each.value.handler]

    content {
      command = [image_config.value]
    }
  }

  reserved_concurrent_executions = each.value.concurrency

  environment {
    variables = merge(var.settings, {
      STACK          = var.stack.prefix
      SESSIONS_TABLE = var.table.name
      EVENT_BUS_NAME = var.bus.name
      RETENTION_DAYS = tostring(var.retention_days)
      LOG_LEVEL      = var.log_level
    })
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [var.network] : []

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = [vpc_config.value.security_group_id]
    }
  }

  logging_config {
    log_format = "Text" # the function writes JSON lines by itself
    log_group  = local.log_group
  }

  tracing_config {
    mode = "PassThrough"
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

# Connect may invoke the function: one instance when it is known, else any of this account.
resource "aws_lambda_permission" "connect" {
  statement_id   = "connect"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this["trigger"].function_name
  principal      = "connect.amazonaws.com"
  source_account = var.stack.account_id
  source_arn = (
    var.connect_instance_id == null
    ? "arn:${var.stack.partition}:connect:${local.region_arn}:instance/*"
    : "arn:${var.stack.partition}:connect:${local.region_arn}:instance/${var.connect_instance_id}"
  )
}

# With this the function can be chosen in the instance's flows.
resource "aws_connect_lambda_function_association" "this" {
  count = var.connect_instance_id == null ? 0 : 1

  function_arn = aws_lambda_function.this["trigger"].arn
  instance_id  = var.connect_instance_id
}

resource "aws_lambda_permission" "contact_events" {
  statement_id  = "contact-events"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["contact-events"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = "arn:${var.stack.partition}:events:${local.region_arn}:rule/${var.stack.prefix}-contact-events"
}

resource "aws_iam_role" "this" {
  name        = local.name
  description = "The function ${local.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "service"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Headers"
          Effect   = "Allow"
          Action   = ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"]
          Resource = [var.table.arn]
        },
        {
          Sid      = "Requests"
          Effect   = "Allow"
          Action   = ["events:PutEvents"]
          Resource = [var.bus.arn]
        },
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["arn:${var.stack.partition}:logs:${local.region_arn}:log-group:${local.log_group}:*"]
        },
      ],
      [for statement in [
        {
          Sid      = "Key"
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = [var.key_arn]
        },
      ] : statement if var.key_arn != null],
    )
  })
}

# Lambda makes the network interfaces of a function in a VPC; these actions know no narrower resource.
resource "aws_iam_role_policy_attachment" "vpc" {
  count = local.in_vpc ? 1 : 0

  role       = aws_iam_role.this.name
  policy_arn = "arn:${var.stack.partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"
}
