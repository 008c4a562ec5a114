variable "registry_arn" {
  description = "Cloud Map service in which ingest finds the tasks."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.registry_arn) > 0
    error_message = "An ARN."
  }
}

variable "link_secret_arn" {
  description = "ARN of the secret shared with ingest."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.link_secret_arn) > 0
    error_message = "An ARN."
  }
}

variable "deepgram_api_key_arn" {
  description = "ARN of the secret with the Deepgram API key."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.deepgram_api_key_arn) > 0
    error_message = "An ARN."
  }
}

variable "deepgram_api" {
  description = "URL of Deepgram's listen endpoint."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^wss?://[^/\\s]+/v1/listen$", var.deepgram_api))
    error_message = "ws:// or wss://, a host, and /v1/listen."
  }
}

variable "link_port" {
  description = "Port for ingest's links."
  type        = number
  nullable    = false

  validation {
    condition     = var.link_port >= 1024 && var.link_port <= 65535
    error_message = "A port from 1024 to 65535."
  }
}

variable "max_sessions" {
  description = "Calls that a task serves at once."
  type        = number
  nullable    = false

  validation {
    condition     = var.max_sessions >= 1
    error_message = "At least 1."
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
