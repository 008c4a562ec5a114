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
  description = "VPC to run in; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "This is the id of a VPC."
  }
}

variable "subnet_ids" {
  description = "Subnets of that VPC, in different zones."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = (var.vpc_id == null) == (length(var.subnet_ids) == 0)
    error_message = "An existing VPC and its subnets are named together."
  }

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "These are ids of subnets."
  }
}

variable "route_table_ids" {
  description = "Route tables of the existing subnets, for the gateway endpoints of S3 and DynamoDB."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = !(var.private && var.make_endpoints && var.vpc_id != null) || length(var.route_table_ids) > 0
    error_message = "Endpoints in an existing VPC need the route tables of its subnets."
  }
}

variable "cidr" {
  description = "Addresses of the VPC that is made here."
  type        = string
  default     = "10.60.0.0/20"
  nullable    = false

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15))
    error_message = "This is a CIDR block with room for sixteen subnets."
  }
}

variable "zone_count" {
  description = "Zones that the VPC made here spreads over; all of them where a region has fewer."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.zone_count >= 1 && var.zone_count <= 6 && floor(var.zone_count) == var.zone_count
    error_message = "1 to 6 zones."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks in existing subnets get a public address; needed in public subnets, not behind a NAT gateway."
  type        = bool
  default     = true
  nullable    = false
}

variable "private" {
  description = "Whether nothing has a public address and AWS is reached by VPC endpoints alone."
  type        = bool
  default     = false
  nullable    = false
}

variable "make_endpoints" {
  description = "Whether the VPC endpoints are made here; false when the VPC has them already."
  type        = bool
  default     = true
  nullable    = false
}

variable "key_arn_used" {
  description = "Whether a KMS key of the operator's own is in use, so that KMS is called."
  type        = bool
  default     = false
  nullable    = false
}

variable "ec2" {
  description = "Whether tasks run on EC2 instances, whose agents call ECS."
  type        = bool
  default     = false
  nullable    = false
}

variable "link_port" {
  description = "Port of transcribe's links."
  type        = number
  default     = 8443
  nullable    = false

  validation {
    condition     = var.link_port >= 1024 && var.link_port <= 65535
    error_message = "A port from 1024 to 65535: the container has no privilege for lower ones."
  }
}

variable "deepgram_port" {
  description = "Port of Deepgram's endpoint."
  type        = number
  default     = 443
  nullable    = false

  validation {
    condition     = var.deepgram_port >= 1 && var.deepgram_port <= 65535
    error_message = "A port."
  }
}

variable "deepgram_cidrs" {
  description = "Networks of a self-hosted Deepgram, for private networking; empty: the VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.deepgram_cidrs : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "callback_cidrs" {
  description = "Networks that callbacks may reach, by security group; empty: everywhere, or the VPC with private networking."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.callback_cidrs : can(cidrhost(cidr, 0))])
    error_message = "These are CIDR blocks."
  }
}

variable "flow_log_bucket_arn" {
  description = "ARN of a bucket for flow logs of the VPC that is made here; null writes none."
  type        = string
  default     = null

  validation {
    condition     = var.flow_log_bucket_arn == null || can(regex("^arn:[a-z-]+:s3:::", var.flow_log_bucket_arn))
    error_message = "This is the ARN of a bucket."
  }
}
