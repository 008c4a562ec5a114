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

variable "secret_key_arns" {
  description = "ARNs of the KMS keys of secrets that the operator made."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "These are ARNs of KMS keys."
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

variable "task" {
  description = "Image, size and number of the tasks. cpu: units, 1024 is one vCPU; memory: MiB; capacity: providers with base and weight; on_ec2: whether they run on instances; schedules: other limits at certain times (EventBridge Scheduler's syntax); stop_timeout_s: between SIGTERM and SIGKILL; settings: further environment variables."
  nullable    = false

  type = object({
    image              = string
    architecture       = string
    cpu                = number
    memory             = number
    min                = number
    max                = number
    capacity           = list(object({ provider = string, base = optional(number, 0), weight = optional(number, 1) }))
    on_ec2             = optional(bool, false)
    schedules          = optional(map(object({ schedule = string, timezone = optional(string, "UTC"), min = number, max = number })), {})
    stop_timeout_s     = optional(number, 60)
    log_level          = optional(string, "INFO")
    log_retention_days = optional(number, 30)
    settings           = optional(map(string), {})
  })

  validation {
    condition     = can(regex("^[^\\s]+[:@][^\\s]+$", var.task.image))
    error_message = "An image is named with its tag or digest."
  }

  validation {
    condition     = contains(["ARM64", "X86_64"], var.task.architecture)
    error_message = "ARM64 or X86_64."
  }

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.task.cpu)
    error_message = "Fargate offers 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }

  validation {
    # Fargate: 2 to 8 times the CPU units, from 0.5 GB on for a quarter of a vCPU.
    condition     = var.task.memory >= 2 * var.task.cpu && var.task.memory <= 8 * var.task.cpu
    error_message = "Fargate offers 2 to 8 MiB for each CPU unit."
  }

  validation {
    condition     = var.task.min >= 0 && var.task.max >= max(var.task.min, 1)
    error_message = "max is at least 1 and at least min."
  }

  validation {
    condition     = length(var.task.capacity) > 0
    error_message = "At least one capacity provider."
  }

  validation {
    condition     = alltrue([for plan in values(var.task.schedules) : can(regex("^(cron|rate|at)\\(", plan.schedule)) && plan.max >= plan.min])
    error_message = "A schedule is cron(…), rate(…) or at(…), and max is at least min."
  }

  validation {
    condition     = var.task.stop_timeout_s >= 10 && var.task.stop_timeout_s <= 120
    error_message = "10 to 120 s, which is Fargate's limit."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.task.log_level)
    error_message = "The log level is DEBUG, INFO, WARNING or ERROR."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.task.log_retention_days)
    error_message = "One of the periods that CloudWatch Logs offers."
  }
}

variable "service" {
  description = "What the tasks are told (environment; secrets: variable to ARN), what they may do (statements), the port that they listen on, the Cloud Map services that they are found in, and what their number follows: sessions per task, messages that wait per task."
  nullable    = false

  type = object({
    environment = map(string)
    secrets     = optional(map(string), {})
    statements  = list(object({ sid = string, actions = list(string), resources = list(string) }))
    port        = optional(number)
    registries  = optional(list(string), [])
    scaling = optional(object({
      sessions_per_task   = optional(number)
      backlog_per_task    = optional(number)
      queue_name          = optional(string)
      scale_in_cooldown_s = optional(number, 300)
    }), {})
  })

  validation {
    condition     = alltrue([for name in concat(keys(var.service.environment), keys(var.service.secrets)) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Settings are environment variables in upper case."
  }

  validation {
    condition     = alltrue([for statement in var.service.statements : !contains(statement.resources, "*") && !anytrue([for action in statement.actions : endswith(action, "*")])])
    error_message = "Neither all actions nor all resources."
  }

  validation {
    condition     = var.service.port == null || try(var.service.port >= 1024 && var.service.port <= 65535, false)
    error_message = "A port from 1024 to 65535."
  }

  validation {
    condition     = length(var.service.registries) <= 1
    error_message = "ECS takes one registry."
  }

  validation {
    condition     = var.service.scaling.backlog_per_task == null || var.service.scaling.queue_name != null
    error_message = "A backlog is that of a queue."
  }
}
