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
}
