# Alarms, and a dashboard of the same numbers. Metric names are those of contracts/metrics.py.

locals {
  namespace = "ConnectTranscription"
  # name => namespace, metric, dimensions, statistic, threshold, seconds, what it means
  metric_alarms = {
    session-failed = {
      metric = "SessionsFailed", service = "transcribe", stat = "Sum", threshold = 0, period_s = 60
      text   = "A session ended with a failure: look for its Session Failed event, which names the reason"
    }
    requests-refused = {
      metric = "RequestsRefused", service = "trigger", stat = "Sum", threshold = 5, period_s = 300
      text   = "Contact flows are answered with fail: a flow or the configuration is wrong"
    }
    deepgram-throttled = {
      metric = "DeepgramThrottled", service = "transcribe", stat = "Sum", threshold = 0, period_s = 60
      text   = "Deepgram refuses connections with 429: the concurrency of the key is used up"
    }
    ingest-lag = {
      metric = "IngestLag", service = "ingest", stat = "p99", threshold = 5000, period_s = 60
      text   = "Audio is more than 5 s old when it leaves ingest"
    }
    announce-lag = {
      metric = "AnnounceLag", service = "transcribe", stat = "p99", threshold = 2000, period_s = 60
      text   = "Results wait more than 2 s until the queue has them"
    }
    delivery-lag = {
      metric = "DeliveryLag", service = "delivery", stat = "p99", threshold = 10000, period_s = 60
      text   = "Callbacks receive results more than 10 s late"
    }
    delivery-given-up = {
      metric = "DeliveryGivenUp", service = "delivery", stat = "Sum", threshold = 0, period_s = 60
      text   = "Messages were given up and lie in the dead-letter queue"
    }
    delivery-attempts-failed = {
      metric = "DeliveryAttemptsFailed", service = "delivery", stat = "Sum", threshold = 100, period_s = 300
      text   = "Callbacks refuse many requests, or do not answer"
    }
    endpoints-disabled = {
      metric = "EndpointsDisabled", service = "delivery", stat = "Sum", threshold = 0, period_s = 300
      text   = "A breaker opened: a callback's endpoint fails and is left alone for a while"
    }
    appends-failed = {
      metric = "AppendsFailed", service = "transcribe", stat = "Sum", threshold = 20, period_s = 300
      text   = "The session store refuses what transcribe writes, or does not answer: calls wait for it"
    }
    records-unreadable = {
      metric = "RecordsUnreadable", service = "transcribe", stat = "Sum", threshold = 0, period_s = 300
      text   = "Sessions of a release that the running tasks do not know: finish the deployment, or the way back"
    }
    secrets-refused = {
      metric = "SecretsRefused", service = "delivery", stat = "Sum", threshold = 0, period_s = 300
      text   = "A secret of delivery has no value that can be used; the last good one is used meanwhile"
    }
    one-sided-audio = {
      metric = "OneSidedAudio", service = "ingest", stat = "Sum", threshold = 0, period_s = 300
      text   = "A contact flow streams one direction only"
    }
  }
  age_alarms = {
    session-requests = { queue = var.queues["session-requests"].name, seconds = 30, text = "Session requests wait: no ingest has room" }
    transcripts      = { queue = var.queues["transcripts"].name, seconds = 300, text = "Transcripts wait for delivery" }
  }
  dead_letter_queues = merge(
    { for key, queue in var.queues : key => queue.name if endswith(key, "-dlq") || key == "undelivered" },
    { for name, dlq in var.consumer_dlqs : "consumer-${name}" => dlq },
  )
  actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "service" {
  for_each = local.metric_alarms

  alarm_name          = "${var.stack.prefix}-${each.key}"
  alarm_description   = each.value.text
  namespace           = local.namespace
  metric_name         = each.value.metric
  dimensions          = { stack = var.stack.prefix, service = each.value.service }
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  period              = each.value.period_s
  evaluation_periods  = startswith(each.value.stat, "p") ? 3 : 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  for_each = local.age_alarms

  alarm_name          = "${var.stack.prefix}-${each.key}-age"
  alarm_description   = each.value.text
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letter_queues

  alarm_name          = "${var.stack.prefix}-${each.key}-depth"
  alarm_description   = "Messages lie in ${each.value}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "table_throttled" {
  alarm_name          = "${var.stack.prefix}-table-throttled"
  alarm_description   = "DynamoDB throttles the session store"
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions

  dynamic "metric_query" {
    for_each = { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = metric_query.value
        dimensions  = { TableName = var.table_name }
        stat        = "Sum"
        period      = 60
      }
    }
  }

  metric_query {
    id          = "throttled"
    label       = "throttled reads and writes"
    expression  = "FILL(reads, 0) + FILL(writes, 0)"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "trigger_errors" {
  for_each = { errors = "Errors", throttles = "Throttles" }

  alarm_name          = "${var.stack.prefix}-trigger-${each.key}"
  alarm_description   = "Invocations by contact flows fail (${each.value})"
  namespace           = "AWS/Lambda"
  metric_name         = each.value
  dimensions          = { FunctionName = var.trigger_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# No task of a service: calls are refused, or wait. Only Container Insights counts tasks: without it the alarm
# would never be silent.
resource "aws_cloudwatch_metric_alarm" "no_tasks" {
  for_each = var.container_insights ? toset(["ingest", "transcribe", "delivery"]) : []

  alarm_name          = "${var.stack.prefix}-${each.key}-no-tasks"
  alarm_description   = "No task of ${each.key} runs"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = var.cluster_name, ServiceName = each.key }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}
