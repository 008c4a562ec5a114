variable "stack" {
  description = "Where and under which prefix everything is made."
  nullable    = false

  type = object({
    prefix     = string
    account_id = string
    region     = string
    partition  = string
  })

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.stack.prefix))
    error_message = "The prefix is 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "key_arn" {
  description = "ARN of a KMS key of your own; null leaves encryption to the service's keys."
  type        = string
  default     = null

  validation {
    condition     = var.key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.key_arn))
    error_message = "The key is named by the ARN of a KMS key."
  }
}

variable "sign" {
  description = "Whether requests are signed."
  type        = bool
  default     = false
  nullable    = false
}

variable "signing_secrets_arn" {
  description = "ARN of the secret with the signing secrets."
  type        = string
  default     = null

  validation {
    condition     = !var.sign || var.signing_secrets_arn != null
    error_message = "Signing needs secrets."
  }
}

variable "callback_allowed_networks" {
  description = "Networks that callbacks may reach although they are not public."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.callback_allowed_networks : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "cluster" {
  description = "ARN and name of the ECS cluster."
  nullable    = false

  type = object({
    arn  = string
    name = string
  })

  validation {
    condition     = length(var.cluster.name) > 0
    error_message = "The cluster has a name."
  }
}

variable "network" {
  description = "Subnets, security group, and whether a task gets a public address."
  nullable    = false

  type = object({
    subnet_ids        = list(string)
    security_group_id = string
    public_ip         = bool
  })

  validation {
    condition     = length(var.network.subnet_ids) > 0
    error_message = "At least one subnet."
  }
}

variable "bus" {
  description = "Name and ARN of the event bus."
  nullable    = false

  type = object({
    name = string
    arn  = string
  })

  validation {
    condition     = length(var.bus.name) > 0
    error_message = "The bus has a name."
  }
}

variable "queues" {
  description = "Name, URL and ARN of each queue."
  nullable    = false

  type = map(object({
    name = string
    url  = string
    arn  = string
  }))

  validation {
    condition     = length(setsubtract(["session-requests", "session-requests-dlq", "transcripts", "transcripts-dlq"], keys(var.queues))) == 0
    error_message = "The four queues of the stack."
  }
}

variable "table" {
  description = "Name and ARN of the session store."
  nullable    = false

  type = object({
    name = string
    arn  = string
  })

  validation {
    condition     = length(var.table.name) > 0
    error_message = "The table has a name."
  }
}

variable "task" {
  description = "Image, size and number of the tasks; see the module task."
  nullable    = false

  type = object({
    image              = string
    architecture       = string
    cpu                = number
    memory             = number
    min                = number
    max                = number
    capacity           = list(object({ provider = string, base = optional(number, 0), weight = optional(number, 1) }))
    on_ec2             = bool
    schedules          = map(object({ schedule = string, timezone = optional(string, "UTC"), min = number, max = number }))
    stop_timeout_s     = number
    log_level          = string
    log_retention_days = number
    settings           = map(string)
  })

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.task.log_level)
    error_message = "The log level is DEBUG, INFO, WARNING or ERROR."
  }
}
