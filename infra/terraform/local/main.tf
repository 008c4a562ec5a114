# The parts of a stack that LocalStack-compatible endpoints serve: bus, rules, queues, table, secrets, and one
# extra consumer. The services run beside it, as processes or containers.

provider "aws" {
  region     = var.region
  access_key = "test"
  secret_key = "test"

  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true

  endpoints {
    dynamodb       = var.endpoint_url
    events         = var.endpoint_url
    schemas        = var.endpoint_url
    secretsmanager = var.endpoint_url
    sqs            = var.endpoint_url
    sts            = var.endpoint_url
  }
}

locals {
  stack = {
    prefix     = var.prefix
    account_id = var.account_id
    region     = var.region
    partition  = "aws"
  }
}

module "events" {
  source = "../modules/events"

  stack        = local.stack
  archive_days = var.archive ? 1 : 0
  schemas      = var.archive
}

module "sessions" {
  source = "../modules/sessions"

  stack               = local.stack
  deletion_protection = false
}

module "secrets" {
  source = "../modules/secrets"

  stack                = local.stack
  deepgram_api_key     = var.deepgram_api_key
  link_secret          = var.link_secret
  recovery_window_days = 0
}

# Receives every event, for looking at.
resource "aws_sqs_queue" "events" {
  name                       = "${var.prefix}-events"
  visibility_timeout_seconds = 60
  sqs_managed_sse_enabled    = true
}

module "consumer" {
  source = "../modules/consumer"

  stack      = local.stack
  bus_name   = module.events.bus.name
  name       = "events"
  target_arn = "arn:aws:sqs:${var.region}:${var.account_id}:${aws_sqs_queue.events.name}"
  queue_url  = aws_sqs_queue.events.url
}
