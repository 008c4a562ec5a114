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
