# Alarms and the dashboard look at this stack alone: another one may live in the same account and region.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "alarms_and_dashboard" {
  command = plan

  module {
    source = "../modules/observability"
  }

  variables {
    stack = {
      prefix     = "calls"
      account_id = "111122223333"
      region     = "eu-west-2"
      partition  = "aws"
    }
    queues = {
      for name in ["session-requests", "session-requests-dlq", "transcripts", "transcripts-dlq", "undelivered"] :
      name => { name = "calls-${name}", url = "https://sqs/${name}", arn = "arn:aws:sqs:eu-west-2:111122223333:calls-${name}" }
    }
    consumer_dlqs   = { quality = "calls-consumer-quality-dlq" }
    table_name      = "calls-sessions"
    trigger_name    = "calls-trigger"
    cluster_name    = "calls"
    alarm_topic_arn = "arn:aws:sns:eu-west-2:111122223333:on-call"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.service : alarm.dimensions["stack"] == "calls" && contains(["trigger", "ingest", "transcribe", "delivery"], alarm.dimensions["service"])])
    error_message = "An alarm on our metrics names the stack and the service."
  }

  assert {
    condition = alltrue(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [
        for line in widget.properties.metrics : slice(line, 2, 4) == ["stack", "calls"] if line[0] == "ConnectTranscription"
      ]
    ]))
    error_message = "So does a line of the dashboard."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.dead_letters : startswith(alarm.dimensions["QueueName"], "calls-")]) && contains(keys(aws_cloudwatch_metric_alarm.dead_letters), "consumer-quality")
    error_message = "Every dead-letter queue is watched, also a consumer's."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.service : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-2:111122223333:on-call"])])
    error_message = "Alarms tell the topic."
  }

  assert {
    condition     = length(setsubtract(["SessionsFailed", "DeepgramThrottled", "IngestLag", "AnnounceLag", "DeliveryLag", "DeliveryGivenUp", "EndpointsDisabled"], [for alarm in aws_cloudwatch_metric_alarm.service : alarm.metric_name])) == 0
    error_message = "Failed sessions, throttles, lag and open breakers are told…"
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.queue_age : key => [alarm.dimensions["QueueName"], alarm.metric_name, alarm.threshold] } == { session-requests = ["calls-session-requests", "ApproximateAgeOfOldestMessage", 30], transcripts = ["calls-transcripts", "ApproximateAgeOfOldestMessage", 300] }
    error_message = "…and the age of the queues…"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.dead_letters)) == toset(["session-requests-dlq", "transcripts-dlq", "undelivered", "consumer-quality"]) && alltrue([for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.threshold == 0 && alarm.metric_name == "ApproximateNumberOfMessagesVisible"])
    error_message = "…and every dead letter…"
  }

  assert {
    condition     = toset(flatten([for query in aws_cloudwatch_metric_alarm.table_throttled.metric_query : [for metric in query.metric : "${metric.metric_name} ${metric.dimensions["TableName"]}"]])) == toset(["ReadThrottleEvents calls-sessions", "WriteThrottleEvents calls-sessions"])
    error_message = "…and a table that is throttled…"
  }

  assert {
    condition     = alltrue([for service in ["ingest", "transcribe", "delivery"] : aws_cloudwatch_metric_alarm.no_tasks[service].dimensions == tomap({ ClusterName = "calls", ServiceName = service }) && aws_cloudwatch_metric_alarm.no_tasks[service].treat_missing_data == "breaching"])
    error_message = "…and a service without a task."
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.queue_age), values(aws_cloudwatch_metric_alarm.dead_letters), values(aws_cloudwatch_metric_alarm.no_tasks), values(aws_cloudwatch_metric_alarm.trigger_errors), [aws_cloudwatch_metric_alarm.table_throttled]) :
      alarm.alarm_actions == toset(["arn:aws:sns:eu-west-2:111122223333:on-call"]) && startswith(alarm.alarm_name, "calls-")
    ])
    error_message = "All tell the topic, under the stack's name."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12 && aws_cloudwatch_dashboard.this.dashboard_name == "calls"
    error_message = "The dashboard is named after the stack."
  }
}

run "without_container_insights" {
  command = plan

  module {
    source = "../modules/observability"
  }

  variables {
    stack              = { prefix = "calls", account_id = "111122223333", region = "eu-west-2", partition = "aws" }
    queues             = { for name in ["session-requests", "session-requests-dlq", "transcripts", "transcripts-dlq"] : name => { name = name, url = name, arn = name } }
    table_name         = "calls-sessions"
    trigger_name       = "calls-trigger"
    cluster_name       = "calls"
    container_insights = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.no_tasks) == 0
    error_message = "Nobody counts the tasks: an alarm for missing ones would never be silent."
  }
}
