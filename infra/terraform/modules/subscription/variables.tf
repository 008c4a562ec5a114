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

variable "source_bus_arn" {
  description = "ARN of the transcription's event bus, from its operator."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+", var.source_bus_arn))
    error_message = "This is the ARN of an event bus."
  }
}

variable "self_service" {
  description = "Whether the rule on the shared bus is made here; the operator must have named this account in consumer_accounts. Otherwise the operator names this module's bus as a consumer's target."
  type        = bool
  default     = true
  nullable    = false
}

variable "detail_types" {
  description = "Events that are wanted, by detail type; none named: all."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = !contains(var.detail_types, "Session Requested")
    error_message = "Session Requested is internal."
  }
}
