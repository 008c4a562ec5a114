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

variable "bus_name" {
  description = "Name of the stack's event bus."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]{1,256}$", var.bus_name))
    error_message = "This is the name of an event bus."
  }
}

variable "name" {
  description = "Name of the consumer, unique in the stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "A consumer's name is 1 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "target_arn" {
  description = "ARN of what receives the events: SQS queue, Lambda function, SNS topic, event bus (also of another account), Kinesis stream, Firehose stream or state machine."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:(sqs|lambda|sns|events|kinesis|firehose|states):[a-z0-9-]+:[0-9]{12}:.+", var.target_arn))
    error_message = "This is the ARN of an SQS queue, Lambda function, SNS topic, event bus, Kinesis or Firehose stream, or state machine."
  }
}

variable "detail_types" {
  description = "Events that are wanted, by detail type; none named: all but session requests."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for wanted in var.detail_types : trimspace(wanted) != "" && wanted != "Session Requested"])
    error_message = "A detail type is one of docs/events.md, without Session Requested, which is internal."
  }
}

variable "filter" {
  description = "EventBridge pattern (JSON) for the event's detail; null takes every event of the wanted types."
  type        = string
  default     = null

  validation {
    condition     = var.filter == null || can(keys(jsondecode(var.filter)))
    error_message = "The filter is a JSON object."
  }
}

variable "grant" {
  description = "Whether the target's own resource policy is written here (queue, topic, function)."
  type        = bool
  default     = true
  nullable    = false
}

variable "queue_url" {
  description = "URL of a queue target where it does not follow from the ARN, as with emulators."
  type        = string
  default     = null

  validation {
    condition     = var.queue_url == null || can(regex("^https?://", var.queue_url))
    error_message = "This is a URL."
  }
}
