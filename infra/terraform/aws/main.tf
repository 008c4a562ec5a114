# The whole system in one AWS account and region.

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ stack = var.prefix }, var.tags)
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  stack = {
    prefix     = var.prefix
    account_id = data.aws_caller_identity.this.account_id
    region     = var.region
    partition  = data.aws_partition.this.partition
  }
  key_arn   = var.customer_key ? module.encryption[0].key_arn : null
  registry  = "${local.stack.account_id}.dkr.ecr.${var.region}.${data.aws_partition.this.dns_suffix}/${var.prefix}"
  link_port = 8443
  # The port in Deepgram's URL, or its scheme's.
  deepgram_port = tonumber(try(
    regex("^wss?://[^/]+:([0-9]+)/", var.deepgram_api)[0],
    startswith(var.deepgram_api, "wss:") ? 443 : 80,
  ))
  function_arn = "arn:${local.stack.partition}:lambda:${var.region}:${local.stack.account_id}:function:${var.prefix}-contact-events"
  instance_arn = var.connect_instance_id == null ? null : "arn:${local.stack.partition}:connect:${var.region}:${local.stack.account_id}:instance/${var.connect_instance_id}"

  capacity = {
    FARGATE = [{ provider = "FARGATE" }]
    # One task is always there; the others are spot, which is given back within two minutes' notice.
    FARGATE_SPOT = [{ provider = "FARGATE", base = 1, weight = 0 }, { provider = "FARGATE_SPOT", weight = 1 }]
    EC2          = [{ provider = "${var.prefix}-ec2" }]
  }
  tasks = {
    for name, service in var.services : name => {
      image              = lookup(var.images, name, "${local.registry}/${name}:${coalesce(var.image_tag, "none")}")
      architecture       = var.architecture
      cpu                = service.cpu
      memory             = service.memory
      min                = service.desired_count
      max                = service.max_count
      capacity           = local.capacity[service.capacity]
      on_ec2             = service.capacity == "EC2"
      schedules          = service.schedules
      stop_timeout_s     = service.stop_timeout_s
      log_level          = service.log_level
      log_retention_days = var.log_retention_days
      settings           = service.settings
    }
  }
}

module "encryption" {
  source = "../modules/encryption"
  count  = var.customer_key ? 1 : 0

  stack = local.stack
}

module "secrets" {
  source = "../modules/secrets"

  stack                = local.stack
  key_arn              = local.key_arn
  deepgram_api_key     = var.deepgram_api_key
  deepgram_api_key_arn = var.deepgram_api_key_secret_arn
  link_secret          = var.link_secret
  link_secret_arn      = var.link_secret_arn
  sign                 = var.sign_callbacks
  signing_secrets      = var.signing_secrets
  signing_secrets_arn  = var.signing_secrets_arn
  versions             = var.secret_versions
}

module "sessions" {
  source = "../modules/sessions"

  stack               = local.stack
  key_arn             = local.key_arn
  deletion_protection = var.deletion_protection
}

module "events" {
  source = "../modules/events"

  stack             = local.stack
  key_arn           = local.key_arn
  archive_days      = var.archive_days
  consumer_accounts = var.consumer_accounts

  contact_events = {
    enabled      = var.contact_events
    function_arn = local.function_arn
    instance_arn = local.instance_arn
  }
}

module "consumer" {
  source   = "../modules/consumer"
  for_each = var.consumers

  stack        = local.stack
  key_arn      = local.key_arn
  bus_name     = module.events.bus.name
  name         = each.key
  target_arn   = each.value.target_arn
  detail_types = each.value.detail_types
  filter       = each.value.filter
  grant        = each.value.grant
}

module "network" {
  source = "../modules/network"

  stack               = local.stack
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  route_table_ids     = var.route_table_ids
  assign_public_ip    = var.assign_public_ip
  cidr                = var.vpc_cidr
  zone_count          = var.zone_count
  private             = var.private
  make_endpoints      = var.make_endpoints
  key_arn_used        = var.customer_key
  ec2                 = var.ec2 != null
  link_port           = local.link_port
  deepgram_port       = local.deepgram_port
  deepgram_cidrs      = var.deepgram_cidrs
  callback_cidrs      = var.callback_cidrs
  flow_log_bucket_arn = var.flow_log_bucket_arn
}

module "cluster" {
  source = "../modules/cluster"

  stack              = local.stack
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.subnet_ids
  security_group_ids = [for service, id in module.network.security_group_ids : id if service == "ec2"]
  architecture       = var.architecture
  container_insights = var.container_insights
  ec2                = var.ec2
}

module "trigger" {
  source = "../modules/trigger"

  stack                = local.stack
  key_arn              = local.key_arn
  image                = lookup(var.images, "trigger", null)
  zip                  = startswith(var.trigger_zip, "/") ? var.trigger_zip : abspath("${path.root}/${var.trigger_zip}")
  architecture         = var.architecture
  memory               = var.trigger.memory
  reserved_concurrency = var.trigger.reserved_concurrency
  settings             = var.trigger.settings
  log_level            = var.trigger.log_level
  log_retention_days   = var.log_retention_days
  retention_days       = var.retention_days
  connect_instance_id  = var.connect_instance_id
  bus                  = module.events.bus
  table                = module.sessions

  network = !var.private ? null : {
    subnet_ids        = module.network.subnet_ids
    security_group_id = module.network.security_group_ids["trigger"]
  }
}

# What each service is told and may do.

module "ingest" {
  source = "../modules/ingest"

  stack               = local.stack
  queues              = module.events.queues
  transcribe_endpoint = "${module.cluster.transcribe.host}:${local.link_port}"
  link_secret_arn     = module.secrets.link_secret_arn
  max_sessions        = var.services.ingest.max_sessions
  stream_prefix       = var.stream_prefix
  stream_key_arns     = var.stream_key_arns
}

module "transcribe" {
  source = "../modules/transcribe"

  bus                  = module.events.bus
  queues               = module.events.queues
  table                = module.sessions
  registry_arn         = module.cluster.transcribe.registry_arn
  link_secret_arn      = module.secrets.link_secret_arn
  deepgram_api_key_arn = module.secrets.deepgram_api_key_arn
  deepgram_api         = var.deepgram_api
  link_port            = local.link_port
  max_sessions         = var.services.transcribe.max_sessions
  retention_days       = var.retention_days
}

module "delivery" {
  source = "../modules/delivery"

  bus                       = module.events.bus
  queues                    = module.events.queues
  table                     = module.sessions
  sign                      = var.sign_callbacks
  signing_secrets_arn       = module.secrets.signing_secrets_arn
  callback_allowed_networks = var.callback_allowed_networks
}

module "task" {
  source = "../modules/task"
  for_each = {
    ingest     = module.ingest.service
    transcribe = module.transcribe.service
    delivery   = module.delivery.service
  }

  stack           = local.stack
  key_arn         = local.key_arn
  secret_key_arns = var.secret_key_arns
  name            = each.key
  cluster         = module.cluster.cluster
  network = {
    subnet_ids        = module.network.subnet_ids
    security_group_id = module.network.security_group_ids[each.key]
    public_ip         = module.network.public_ip
  }
  task    = local.tasks[each.key]
  service = each.value
}

module "observability" {
  source = "../modules/observability"

  stack           = local.stack
  queues          = module.events.queues
  consumer_dlqs   = { for name, consumer in module.consumer : name => consumer.dlq.name }
  table_name      = module.sessions.name
  trigger_name    = module.trigger.name
  cluster_name    = module.cluster.cluster.name
  alarm_topic_arn = var.alarm_topic_arn

  container_insights = var.container_insights != "disabled"
}
