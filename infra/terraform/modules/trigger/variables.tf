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

variable "image" {
  description = "Image of the function; null takes the zip."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("\\.dkr\\.ecr\\.", var.image))
    error_message = "Lambda takes images from ECR alone."
  }
}

variable "zip" {
  description = "Path of the function's archive, as `make package` writes it."
  type        = string
  default     = null

  validation {
    condition     = var.image != null || try(fileexists(var.zip), false)
    error_message = "The archive is not there: `make package` writes it."
  }
}

variable "architecture" {
  description = "ARM64 or X86_64, as the archive or image was made."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "ARM64 or X86_64."
  }
}

variable "memory" {
  description = "Memory of the function in MiB; its CPU grows with it."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "128 to 10240 MiB."
  }
}

variable "reserved_concurrency" {
  description = "Concurrent executions kept for the function alone, and its limit; -1 takes from the account's."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "-1, or at least 1."
  }
}

variable "settings" {
  description = "Further settings of the trigger; see docs/configuration.md."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Settings are environment variables in upper case."
  }
}

variable "retention_days" {
  description = "Days that transcripts are kept in the session store."
  type        = number
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && floor(var.retention_days) == var.retention_days
    error_message = "Whole days, at least 1."
  }
}

variable "log_level" {
  description = "Least level that is logged."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "DEBUG, INFO, WARNING or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  nullable    = false

  validation {
    condition     = var.log_retention_days >= 1
    error_message = "At least 1."
  }
}

variable "connect_instance_id" {
  description = "Id of the Connect instance whose flows invoke the function; null lets any instance of the account."
  type        = string
  default     = null

  validation {
    condition     = var.connect_instance_id == null || can(regex("^[0-9a-f-]{36}$", var.connect_instance_id))
    error_message = "The id is a UUID: the last part of the instance's ARN."
  }
}

variable "network" {
  description = "Subnets and security group for a function inside the VPC; null runs it outside, where it needs no endpoint."
  default     = null

  type = object({
    subnet_ids        = list(string)
    security_group_id = string
  })

  validation {
    condition     = var.network == null || try(length(var.network.subnet_ids) > 0, false)
    error_message = "At least one subnet."
  }
}
