variable "prefix" {
  description = "What every name begins with."
  type        = string
  default     = "connect-transcription"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "The prefix is 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "endpoint_url" {
  description = "Where LocalStack, or what is compatible with it, answers."
  type        = string
  default     = "http://127.0.0.1:4566"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^/]+$", var.endpoint_url))
    error_message = "A URL without a path."
  }
}

variable "region" {
  description = "Region that the endpoint plays."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, for example us-east-1."
  }
}

variable "account_id" {
  description = "Account that the endpoint plays."
  type        = string
  default     = "000000000000"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account id has twelve digits."
  }
}

variable "deepgram_api_key" {
  description = "Deepgram API key, or the one that the Deepgram emulator was started with."
  type        = string
  default     = "any-key-will-do"
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(var.deepgram_api_key) >= 8
    error_message = "8 characters or more."
  }
}

variable "link_secret" {
  description = "Random text of 32 characters or more that ingest and transcribe share."
  type        = string
  default     = "not-a-secret-0123456789-0123456789"
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(var.link_secret) >= 32
    error_message = "32 characters or more."
  }
}

variable "archive" {
  description = "Whether the archive and the registry of schemas are made, too; not every such endpoint has them."
  type        = bool
  default     = false
  nullable    = false
}
