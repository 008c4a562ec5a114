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

variable "archive_days" {
  description = "Days that events can be replayed; 0 keeps no archive."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "Whole days, or 0 for no archive."
  }
}

variable "consumer_accounts" {
  description = "Ids of other AWS accounts that may make rules of their own on the bus."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for account in var.consumer_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "An account id has twelve digits."
  }
}

variable "contact_events" {
  description = "The function that is told of the ends and transfers of contacts, and of which Connect instance (null: any). Null makes no rule."
  default     = null

  type = object({
    enabled      = bool
    function_arn = string
    instance_arn = optional(string)
  })

  validation {
    condition     = try(var.contact_events.instance_arn, null) == null || can(regex("^arn:[a-z-]+:connect:", var.contact_events.instance_arn))
    error_message = "instance_arn is the ARN of a Connect instance."
  }
}

variable "schemas" {
  description = "Whether the events' schemas are put into a registry."
  type        = bool
  default     = true
  nullable    = false
}
