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
