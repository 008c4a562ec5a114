variable "prefix" {
  description = "What every name begins with; several stacks live in one account under different prefixes."
  type        = string
  default     = "connect-transcription"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "The prefix is 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "AWS region; Connect's instance must be in the same."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, for example eu-west-2."
  }
}

variable "tags" {
  description = "Tags for everything that is made."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !anytrue([for name in keys(var.tags) : startswith(lower(name), "aws:")])
    error_message = "Names of tags must not begin with aws:."
  }
}

variable "images_kept" {
  description = "Images that are kept per repository; older ones expire."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.images_kept >= 2
    error_message = "At least 2: the one that runs and the one before it, for a rollback."
  }
}

variable "key_arn" {
  description = "ARN of a KMS key for the repositories; null takes the registry's own encryption (AES-256)."
  type        = string
  default     = null

  validation {
    condition     = var.key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.key_arn))
    error_message = "The key is named by the ARN of a KMS key."
  }
}
