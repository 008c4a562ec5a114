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

variable "name" {
  description = "Name of the service."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["ingest", "transcribe", "delivery"], var.name)
    error_message = "ingest, transcribe or delivery."
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

variable "image" {
  description = "Image, with tag or digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^\\s]+[:@][^\\s]+$", var.image))
    error_message = "An image is named with its tag or digest."
  }
}

variable "architecture" {
  description = "ARM64 or X86_64, as the image was built."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "ARM64 or X86_64."
  }
}

variable "cpu" {
  description = "CPU units of a task; 1024 is one vCPU."
  type        = number
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate offers 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }
}

variable "memory" {
  description = "Memory of a task in MiB."
  type        = number
  nullable    = false

  validation {
    # Fargate: 2 to 8 times the CPU units, from 0.5 GB on for a quarter of a vCPU.
    condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu
    error_message = "Fargate offers 2 to 8 MiB for each CPU unit."
  }
}

variable "environment" {
  description = "Settings of the service."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Settings are environment variables in upper case."
  }
}

variable "secrets" {
  description = "Settings that come from Secrets Manager: variable to ARN."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Settings are environment variables in upper case."
  }
}

variable "statements" {
  description = "What the service may do, each on which resources."
  nullable    = false

  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))

  validation {
    condition     = alltrue([for statement in var.statements : !contains(statement.resources, "*") && !anytrue([for action in statement.actions : endswith(action, "*")])])
    error_message = "Neither all actions nor all resources."
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

variable "capacity" {
  description = "Capacity providers, with base and weight."
  nullable    = false

  type = list(object({
    provider = string
    base     = optional(number, 0)
    weight   = optional(number, 1)
  }))

  validation {
    condition     = length(var.capacity) > 0
    error_message = "At least one capacity provider."
  }
}

variable "on_ec2" {
  description = "Whether the task runs on instances."
  type        = bool
  default     = false
  nullable    = false
}

variable "scaling" {
  description = "Fewest and most tasks, and what the number follows: sessions per task, or messages in a queue per task; both null for a fixed number."
  nullable    = false

  type = object({
    min                 = number
    max                 = number
    sessions_per_task   = optional(number)
    backlog_per_task    = optional(number)
    queue_name          = optional(string)
    scale_in_cooldown_s = optional(number, 300)
  })

  validation {
    condition     = var.scaling.min >= 0 && var.scaling.max >= max(var.scaling.min, 1)
    error_message = "max is at least 1 and at least min."
  }

  validation {
    condition     = var.scaling.backlog_per_task == null || var.scaling.queue_name != null
    error_message = "A backlog is that of a queue."
  }
}

variable "schedules" {
  description = "Other limits at certain times: name to schedule (EventBridge Scheduler syntax), time zone, min, max."
  default     = {}
  nullable    = false

  type = map(object({
    schedule = string
    timezone = optional(string, "UTC")
    min      = number
    max      = number
  }))

  validation {
    condition     = alltrue([for plan in values(var.schedules) : can(regex("^(cron|rate|at)\\(", plan.schedule)) && plan.max >= plan.min])
    error_message = "A schedule is cron(…), rate(…) or at(…), and max is at least min."
  }
}

variable "stop_timeout_s" {
  description = "Seconds between SIGTERM and SIGKILL."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.stop_timeout_s >= 10 && var.stop_timeout_s <= 120
    error_message = "10 to 120 s, which is Fargate's limit."
  }
}

variable "port" {
  description = "Port that the service listens on; null for none."
  type        = number
  default     = null

  validation {
    condition     = var.port == null || try(var.port >= 1024 && var.port <= 65535, false)
    error_message = "A port from 1024 to 65535."
  }
}

variable "registries" {
  description = "ARN of the Cloud Map service in which the tasks are found; at most one."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.registries) <= 1
    error_message = "ECS takes one registry."
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
