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

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table."
  type        = bool
  default     = true
  nullable    = false
}
