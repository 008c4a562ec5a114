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

variable "deepgram_api_key" {
  description = "Deepgram API key with the scope usage:write; written to Secrets Manager."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.deepgram_api_key_arn != null || try(length(var.deepgram_api_key) >= 8, false)
    error_message = "Give deepgram_api_key, or the ARN of a secret that holds it."
  }
}

variable "deepgram_api_key_arn" {
  description = "ARN of an existing secret whose whole text is the Deepgram API key."
  type        = string
  default     = null

  validation {
    condition     = var.deepgram_api_key_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.deepgram_api_key_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "link_secret" {
  description = "Random text of 32 characters or more that ingest and transcribe share."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.link_secret_arn != null || try(length(var.link_secret) >= 32, false)
    error_message = "Give link_secret (32 characters or more), or the ARN of a secret that holds it."
  }
}

variable "link_secret_arn" {
  description = "ARN of an existing secret whose whole text is the link secret."
  type        = string
  default     = null

  validation {
    condition     = var.link_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.link_secret_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "sign" {
  description = "Whether delivery signs requests."
  type        = bool
  default     = false
  nullable    = false
}

variable "signing_secrets" {
  description = "Standard Webhooks secrets (whsec_…) separated by spaces; each signs."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = !var.sign || var.signing_secrets_arn != null || can(regex("^whsec_", var.signing_secrets))
    error_message = "Signing needs signing_secrets (whsec_…), or the ARN of a secret that holds them."
  }
}

variable "signing_secrets_arn" {
  description = "ARN of an existing secret whose whole text is the list of signing secrets."
  type        = string
  default     = null

  validation {
    condition     = var.signing_secrets_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.signing_secrets_arn))
    error_message = "This is the ARN of a Secrets Manager secret."
  }
}

variable "versions" {
  description = "Version of each value; a higher number writes the value anew."
  nullable    = false
  default     = {}

  type = object({
    deepgram_api_key = optional(number, 1)
    link_secret      = optional(number, 1)
    signing_secrets  = optional(number, 1)
  })

  validation {
    condition     = alltrue([for version in values(var.versions) : version >= 1 && floor(version) == version])
    error_message = "Versions are whole numbers from 1 on."
  }
}

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be restored; 0 deletes at once."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "Secrets Manager takes 0, or 7 to 30 days."
  }
}
