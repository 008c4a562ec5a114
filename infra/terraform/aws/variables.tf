variable "prefix" {
  description = "What every name begins with; several stacks live in one account under different prefixes."
  type        = string
  default     = "connect-transcription"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "The prefix is 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "AWS region; Connect's instance must be in the same."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, for example eu-west-2."
  }
}

variable "tags" {
  description = "Tags for everything that is made."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !anytrue([for name in keys(var.tags) : startswith(lower(name), "aws:")])
    error_message = "Names of tags must not begin with aws:."
  }
}

variable "image_tag" {
  description = "Tag of the images in this account's registry, as `make push` printed it."
  type        = string
  default     = null

  validation {
    condition     = var.image_tag == null || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag))
    error_message = "This is no tag of an image."
  }

  validation {
    condition     = var.image_tag != null || length(setsubtract(["ingest", "transcribe", "delivery"], keys(var.images))) == 0
    error_message = "Give image_tag, or an image for each service in images."
  }
}

variable "images" {
  description = "Whole names of images by service (trigger, ingest, transcribe, delivery), in place of those that image_tag names. A trigger image replaces the zip."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.images), ["trigger", "ingest", "transcribe", "delivery"])) == 0
    error_message = "The services are trigger, ingest, transcribe and delivery."
  }
}

variable "trigger_zip" {
  description = "The trigger's archive, as `make package` writes it; relative to this folder, or absolute."
  type        = string
  default     = "../../../.build/trigger.zip"
  nullable    = false

  validation {
    condition     = endswith(var.trigger_zip, ".zip")
    error_message = "The archive is a .zip file."
  }
}

variable "architecture" {
  description = "Processor: ARM64 (about a fifth cheaper) or X86_64; images and the trigger's archive are built for it."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "ARM64 or X86_64."
  }
}

# Deepgram

variable "deepgram_api" {
  description = "Deepgram's listen endpoint: another region (wss://api.eu.deepgram.com/v1/listen), or a self-hosted one (ws://host:8080/v1/listen)."
  type        = string
  default     = "wss://api.deepgram.com/v1/listen"
  nullable    = false

  validation {
    condition     = can(regex("^wss?://[^/\\s]+/v1/listen$", var.deepgram_api))
    error_message = "ws:// or wss://, a host, and /v1/listen."
  }
}

variable "deepgram_api_key" {
  description = "Deepgram API key with the scope usage:write; goes to Secrets Manager and nowhere else (TF_VAR_deepgram_api_key keeps it out of files)."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.deepgram_api_key_secret_arn != null || try(length(var.deepgram_api_key) >= 8, false)
    error_message = "Give deepgram_api_key, or deepgram_api_key_secret_arn."
  }
}

variable "deepgram_api_key_secret_arn" {
  description = "ARN of an existing secret whose whole text is the Deepgram API key, in place of deepgram_api_key."
  type        = string
  default     = null

  validation {
    condition     = var.deepgram_api_key_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.deepgram_api_key_secret_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "link_secret" {
  description = "Random text of 32 characters or more that ingest and transcribe share: `openssl rand -hex 32`."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.link_secret_arn != null || try(length(var.link_secret) >= 32, false)
    error_message = "Give link_secret (32 characters or more), or link_secret_arn."
  }
}

variable "link_secret_arn" {
  description = "ARN of an existing secret whose whole text is the link secret, in place of link_secret."
  type        = string
  default     = null

  validation {
    condition     = var.link_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.link_secret_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "sign_callbacks" {
  description = "Whether delivery signs its requests (Standard Webhooks)."
  type        = bool
  default     = false
  nullable    = false
}

variable "signing_secrets" {
  description = "Standard Webhooks secrets (whsec_…) separated by spaces; each signs, so that they can be rotated."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = !var.sign_callbacks || var.signing_secrets_arn != null || can(regex("^whsec_", var.signing_secrets))
    error_message = "sign_callbacks needs signing_secrets (whsec_…), or signing_secrets_arn."
  }
}

variable "signing_secrets_arn" {
  description = "ARN of an existing secret whose whole text is the list of signing secrets."
  type        = string
  default     = null

  validation {
    condition     = var.signing_secrets_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.signing_secrets_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "secret_key_arns" {
  description = "ARNs of the KMS keys of existing secrets, where a key of yours encrypts them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "These are ARNs of KMS keys."
  }
}

variable "secret_versions" {
  description = "Version of each secret that is written here; raise one to write its value anew."
  default     = {}
  nullable    = false

  type = object({
    deepgram_api_key = optional(number, 1)
    link_secret      = optional(number, 1)
    signing_secrets  = optional(number, 1)
  })

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version >= 1 && floor(version) == version])
    error_message = "Versions are whole numbers from 1 on."
  }
}

# Amazon Connect

variable "connect_instance_id" {
  description = "Id of the Connect instance (the last part of its ARN): its flows may invoke the trigger, and it is associated with it. Null lets any instance of the account invoke, and associates none."
  type        = string
  default     = null

  validation {
    condition     = var.connect_instance_id == null || can(regex("^[0-9a-f-]{36}$", var.connect_instance_id))
    error_message = "The id is a UUID."
  }
}

variable "stream_prefix" {
  description = "What the names of the media streams begin with: the prefix that is set under Live media streaming in Connect."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.stream_prefix))
    error_message = "Letters, digits, hyphens, dots and underscores, and not empty: ingest may read the streams that begin so, and no others."
  }
}

variable "stream_key_arns" {
  description = "ARNs of the KMS keys of the media streams, where Connect encrypts them with a key of yours."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.stream_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "These are ARNs of KMS keys."
  }
}

variable "contact_events" {
  description = "Whether the rule for Connect's contact events on the default bus is enabled: ends of calls are known at once, transfers are followed."
  type        = bool
  default     = true
  nullable    = false
}

# Network

variable "vpc_id" {
  description = "VPC to run in; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "This is the id of a VPC."
  }
}

variable "subnet_ids" {
  description = "Subnets of that VPC, in different zones."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "These are ids of subnets."
  }
}

variable "route_table_ids" {
  description = "Route tables of these subnets; needed with private = true, for the gateway endpoints."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.route_table_ids : can(regex("^rtb-[0-9a-f]+$", id))])
    error_message = "These are ids of route tables."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks in these subnets get a public address: true in public subnets, false behind a NAT gateway."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made here."
  type        = string
  default     = "10.60.0.0/20"
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15))
    error_message = "This is a CIDR block with room for sixteen subnets."
  }
}

variable "zone_count" {
  description = "Zones that the VPC made here spreads over; all of them where a region has fewer."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.zone_count >= 1 && var.zone_count <= 6 && floor(var.zone_count) == var.zone_count
    error_message = "1 to 6 zones."
  }
}

variable "private" {
  description = "Private networking: no public address, AWS by VPC endpoints alone, Deepgram self-hosted within reach."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.private || !can(regex("^wss?://api(\\.[a-z]+)?\\.deepgram\\.com(:|/)", var.deepgram_api))
    error_message = "Deepgram's public endpoints are on the internet: with private networking, name a self-hosted one in deepgram_api."
  }
}

variable "make_endpoints" {
  description = "With private: whether the VPC endpoints are made here; false where the VPC has them."
  type        = bool
  default     = true
  nullable    = false
}

variable "deepgram_cidrs" {
  description = "With private: networks of the self-hosted Deepgram; empty is the VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.deepgram_cidrs : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "callback_cidrs" {
  description = "Networks that delivery's security group lets callbacks reach; empty is everywhere, or the VPC with private."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.callback_cidrs : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "callback_allowed_networks" {
  description = "Networks that callbacks may reach although their addresses are not public."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.callback_allowed_networks : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "flow_log_bucket_arn" {
  description = "Bucket for flow logs of the VPC that is made here; null writes none."
  type        = string
  default     = null

  validation {
    condition     = var.flow_log_bucket_arn == null || can(regex("^arn:[a-z-]+:s3:::", var.flow_log_bucket_arn))
    error_message = "This is the ARN of a bucket."
  }
}

# Tasks

variable "services" {
  description = "Size and number of each service's tasks. capacity: FARGATE, FARGATE_SPOT (delivery alone) or EC2. schedules: other limits at certain times. settings: further environment variables of docs/configuration.md."
  default     = {}
  nullable    = false

  type = object({
    ingest = optional(object({
      cpu            = optional(number, 1024)
      memory         = optional(number, 2048)
      desired_count  = optional(number, 2)
      max_count      = optional(number, 10)
      max_sessions   = optional(number, 250)
      capacity       = optional(string, "FARGATE")
      stop_timeout_s = optional(number, 60)
      log_level      = optional(string, "INFO")
      settings       = optional(map(string), {})
      schedules      = optional(map(object({ schedule = string, timezone = optional(string, "UTC"), min = number, max = number })), {})
    }), {})
    transcribe = optional(object({
      cpu            = optional(number, 1024)
      memory         = optional(number, 2048)
      desired_count  = optional(number, 2)
      max_count      = optional(number, 10)
      max_sessions   = optional(number, 400)
      capacity       = optional(string, "FARGATE")
      stop_timeout_s = optional(number, 60)
      log_level      = optional(string, "INFO")
      settings       = optional(map(string), {})
      schedules      = optional(map(object({ schedule = string, timezone = optional(string, "UTC"), min = number, max = number })), {})
    }), {})
    delivery = optional(object({
      cpu            = optional(number, 512)
      memory         = optional(number, 1024)
      desired_count  = optional(number, 2)
      max_count      = optional(number, 6)
      capacity       = optional(string, "FARGATE")
      stop_timeout_s = optional(number, 60)
      log_level      = optional(string, "INFO")
      settings       = optional(map(string), {})
      schedules      = optional(map(object({ schedule = string, timezone = optional(string, "UTC"), min = number, max = number })), {})
    }), {})
  })

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["FARGATE", "FARGATE_SPOT", "EC2"], service.capacity)])
    error_message = "capacity is FARGATE, FARGATE_SPOT or EC2."
  }

  validation {
    condition     = var.services.ingest.capacity != "FARGATE_SPOT" && var.services.transcribe.capacity != "FARGATE_SPOT"
    error_message = "Spot is for delivery: an interruption of ingest or transcribe costs every one of its calls a pause."
  }

  validation {
    condition     = var.ec2 != null || alltrue([for service in values(var.services) : service.capacity != "EC2"])
    error_message = "capacity EC2 needs instances: set ec2."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.desired_count >= 1 && service.max_count >= service.desired_count])
    error_message = "desired_count is at least 1, max_count at least desired_count."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["DEBUG", "INFO", "WARNING", "ERROR"], service.log_level)])
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "trigger" {
  description = "The function: memory in MiB, reserved concurrency (-1: none), log level, further settings of docs/configuration.md."
  default     = {}
  nullable    = false

  type = object({
    memory               = optional(number, 512)
    reserved_concurrency = optional(number, -1)
    log_level            = optional(string, "INFO")
    settings             = optional(map(string), {})
  })

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.trigger.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "ec2" {
  description = "EC2 instances for services with capacity EC2: type, fewest and most; null makes none."
  default     = null

  type = object({
    instance_type = string
    min           = optional(number, 0)
    max           = number
  })

  validation {
    condition     = var.ec2 == null || try(var.ec2.max >= 1, false)
    error_message = "max is at least 1."
  }

  validation {
    condition     = var.ec2 == null || !can(regex("^(aws|ecs|fargate)", var.prefix))
    error_message = "ECS takes no capacity provider whose name begins with aws, ecs or fargate: choose another prefix."
  }

  validation {
    condition     = var.ec2 == null || var.private || (var.vpc_id != null && !var.assign_public_ip)
    error_message = "Tasks on instances get no public address: ec2 needs private = true, or subnets behind a NAT gateway (vpc_id, subnet_ids, assign_public_ip = false)."
  }
}

variable "container_insights" {
  description = "CloudWatch Container Insights: enabled, enhanced or disabled. Scaling by backlog and the alarm for missing tasks need it."
  type        = string
  default     = "enabled"
  nullable    = false

  validation {
    condition     = contains(["enabled", "enhanced", "disabled"], var.container_insights)
    error_message = "enabled, enhanced or disabled."
  }
}

# What is kept, and who else reads it

variable "retention_days" {
  description = "Days that transcripts are kept in the session store."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 3650 && floor(var.retention_days) == var.retention_days
    error_message = "1 to 3650 whole days."
  }
}

variable "archive_days" {
  description = "Days that events can be replayed from the archive; 0 keeps none."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "Whole days, or 0 for no archive."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of the periods that CloudWatch Logs offers."
  }
}

variable "customer_key" {
  description = "Whether a KMS key of your own encrypts queues, table, secrets and logs, in place of AWS's."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the session store."
  type        = bool
  default     = true
  nullable    = false
}

variable "consumers" {
  description = "Further consumers of the events, by name: what receives them, which detail types (none: all), and a pattern (JSON) for their detail. grant = false leaves the target's own policy alone."
  default     = {}
  nullable    = false

  type = map(object({
    target_arn   = string
    detail_types = optional(list(string), [])
    filter       = optional(string)
    grant        = optional(bool, true)
  }))

  validation {
    condition     = alltrue([for name in keys(var.consumers) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "A consumer's name is 1 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "consumer_accounts" {
  description = "Ids of other AWS accounts that may subscribe by themselves, with the module subscription."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.consumer_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "An account id has twelve digits."
  }
}

variable "alarm_topic_arn" {
  description = "SNS topic that alarms notify; null notifies nobody."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:", var.alarm_topic_arn))
    error_message = "This is the ARN of an SNS topic."
  }
}
