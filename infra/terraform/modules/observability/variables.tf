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

variable "consumer_dlqs" {
  description = "Dead-letter queue of each consumer, by the consumer's name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.consumer_dlqs) : length(name) > 0])
    error_message = "Queues have names."
  }
}

variable "table_name" {
  description = "Name of the session store."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.table_name) > 0
    error_message = "The table has a name."
  }
}

variable "trigger_name" {
  description = "Name of the trigger's function."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.trigger_name) > 0
    error_message = "The function has a name."
  }
}

variable "cluster_name" {
  description = "Name of the ECS cluster."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.cluster_name) > 0
    error_message = "The cluster has a name."
  }
}

variable "container_insights" {
  description = "Whether Container Insights counts the running tasks."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "SNS topic that alarms notify; null notifies nobody."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:", var.alarm_topic_arn))
    error_message = "This is the ARN of an SNS topic."
  }
}
