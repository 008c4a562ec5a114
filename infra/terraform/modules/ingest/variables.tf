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

variable "transcribe_endpoint" {
  description = "host:port under which transcribe is found."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^.+:[0-9]+$", var.transcribe_endpoint))
    error_message = "host:port."
  }
}

variable "link_secret_arn" {
  description = "ARN of the secret shared with transcribe."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.link_secret_arn) > 0
    error_message = "An ARN."
  }
}

variable "max_sessions" {
  description = "Calls that a task serves at once."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_sessions >= 1 && var.max_sessions <= 5000
    error_message = "1 to 5000."
  }
}

variable "stream_prefix" {
  description = "What the names of Connect's media streams begin with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.stream_prefix))
    error_message = "Letters, digits, hyphens, dots and underscores; it must not be empty, or every stream of the account could be read."
  }
}

variable "stream_key_arns" {
  description = "ARNs of the KMS keys that encrypt the media streams, where they are the operator's own."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.stream_key_arns : can(regex("^arn:[a-z-]+:kms:", arn))])
    error_message = "These are ARNs of KMS keys."
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
