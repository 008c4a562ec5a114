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

variable "vpc_id" {
  description = "VPC whose resolver knows the names."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.vpc_id) > 0
    error_message = "A VPC is needed."
  }
}

variable "subnet_ids" {
  description = "Subnets for instances."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "At least one subnet is needed."
  }
}

variable "security_group_ids" {
  description = "Security groups of instances."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.ec2 == null || length(var.security_group_ids) > 0
    error_message = "Instances need a security group."
  }
}

variable "architecture" {
  description = "Processor of the instances: ARM64 or X86_64."
  type        = string
  default     = "ARM64"
  nullable    = false

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "ARM64 or X86_64."
  }
}

variable "container_insights" {
  description = "CloudWatch Container Insights: enabled, enhanced or disabled. Autoscaling by backlog needs its RunningTaskCount."
  type        = string
  default     = "enabled"
  nullable    = false

  validation {
    condition     = contains(["enabled", "enhanced", "disabled"], var.container_insights)
    error_message = "enabled, enhanced or disabled."
  }
}

variable "ec2" {
  description = "Instances for the services that run on EC2; null makes none."
  default     = null

  type = object({
    instance_type = string
    min           = optional(number, 0)
    max           = number
  })

  validation {
    condition     = var.ec2 == null || try(var.ec2.min >= 0 && var.ec2.max >= max(var.ec2.min, 1), false)
    error_message = "max is at least 1 and at least min."
  }
}
