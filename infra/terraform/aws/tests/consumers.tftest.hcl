# Extra consumers: a rule, a dead-letter queue, and the permission that the kind of target needs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  stack = {
    prefix     = "calls"
    account_id = "111122223333"
    region     = "eu-west-2"
    partition  = "aws"
  }
  bus_name = "calls"
  name     = "quality"
}

run "a_queue" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn   = "arn:aws:sqs:eu-west-2:111122223333:quality"
    detail_types = ["Session Ended"]
    filter       = "{\"outcome\":[\"completed\"]}"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == {
      source        = ["connect-transcription"]
      "detail-type" = ["Session Ended"]
      detail        = { outcome = ["completed"] }
    }
    error_message = "The rule has the consumer's types and filter."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.target[0].policy).Statement[1].Condition.ArnEquals["aws:SourceArn"] == ["arn:aws:events:eu-west-2:111122223333:rule/calls/consumer-quality"]
    error_message = "The rule may send to the target."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.dlq.policy).Statement[1].Action == "sqs:SendMessage" && aws_sqs_queue.dlq.sqs_managed_sse_enabled
    error_message = "What the target does not take has its queue."
  }

  assert {
    condition     = aws_sqs_queue_policy.target[0].queue_url == "https://sqs.eu-west-2.amazonaws.com/111122223333/quality"
    error_message = "The queue is found by its ARN."
  }

  assert {
    condition     = length(aws_iam_role.this) == 0
    error_message = "Queues need no role."
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.target[0].policy).Statement[1] == {
      Sid       = "EventBridge"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-2:111122223333:quality"
      Condition = { ArnEquals = { "aws:SourceArn" = ["arn:aws:events:eu-west-2:111122223333:rule/calls/consumer-quality"] } }
    }
    error_message = "The rule may send, and do nothing else."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.arn == var.target_arn && aws_cloudwatch_event_target.this.rule == "consumer-quality" && aws_cloudwatch_event_target.this.event_bus_name == "calls" && length(aws_cloudwatch_event_target.this.dead_letter_config) == 1
    error_message = "The rule has the target, and its dead-letter queue."
  }

  assert {
    condition     = aws_sqs_queue.dlq.name == "calls-consumer-quality-dlq" && aws_sqs_queue.dlq.message_retention_seconds == 1209600
    error_message = "What was not taken is kept for two weeks, under the stack's name."
  }
}

run "a_queue_in_order" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    key_arn    = "arn:aws:kms:eu-west-2:111122223333:key/own"
    target_arn = "arn:aws:sqs:eu-west-2:111122223333:quality.fifo"
    grant      = false
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.sqs_target[0].message_group_id == "quality" && length(aws_sqs_queue_policy.target) == 0
    error_message = "A FIFO queue gets a group; its policy is left alone."
  }

  assert {
    condition     = jsondecode(output.policy_statement).Resource == var.target_arn
    error_message = "Its owner is told the statement."
  }

  assert {
    condition     = aws_sqs_queue.dlq.kms_master_key_id == var.key_arn
    error_message = "A key of one's own encrypts what was not taken, too."
  }
}

run "a_topic" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn = "arn:aws:sns:eu-west-2:111122223333:quality"
  }

  assert {
    condition = jsondecode(aws_sns_topic_policy.target[0].policy).Statement == [{
      Sid       = "EventBridge"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-west-2:111122223333:quality"
      Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-west-2:111122223333:rule/calls/consumer-quality" } }
    }]
    error_message = "The rule may publish, and do nothing else."
  }
}

run "a_stream" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn = "arn:aws:firehose:eu-west-2:111122223333:deliverystream/transcripts"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement == [{ Effect = "Allow", Action = ["firehose:PutRecord", "firehose:PutRecordBatch"], Resource = "arn:aws:firehose:eu-west-2:111122223333:deliverystream/transcripts" }]
    error_message = "EventBridge may write to that stream, and do nothing else."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement[0].Principal == { Service = "events.amazonaws.com" } && jsondecode(aws_iam_role.this[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "…for this account."
  }
}

run "all_events_but_requests" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn = "arn:aws:lambda:eu-west-2:111122223333:function:quality"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern)["detail-type"] == [{ "anything-but" = ["Session Requested"] }]
    error_message = "Session requests are internal."
  }

  assert {
    condition     = aws_lambda_permission.target[0].source_arn == "arn:aws:events:eu-west-2:111122223333:rule/calls/consumer-quality"
    error_message = "The rule may invoke the function."
  }
}

run "a_bus_of_another_account" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn = "arn:aws:events:eu-west-2:444455556666:event-bus/transcripts"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0] == { Action = ["events:PutEvents"], Effect = "Allow", Resource = "arn:aws:events:eu-west-2:444455556666:event-bus/transcripts" }
    error_message = "EventBridge may put events on that bus, and do nothing else."
  }
}

run "a_request_is_no_event_for_consumers" {
  command = plan

  module {
    source = "../modules/consumer"
  }

  variables {
    target_arn   = "arn:aws:sqs:eu-west-2:111122223333:quality"
    detail_types = ["Session Requested"]
  }

  expect_failures = [var.detail_types]
}

run "a_subscription_from_the_consumers_account" {
  command = plan

  module {
    source = "../modules/subscription"
  }

  variables {
    stack = {
      prefix     = "transcripts"
      account_id = "444455556666"
      region     = "eu-west-2"
      partition  = "aws"
    }
    source_bus_arn = "arn:aws:events:eu-west-2:111122223333:event-bus/calls"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.shared[0].event_bus_name == "arn:aws:events:eu-west-2:111122223333:event-bus/calls"
    error_message = "Its rule is on the shared bus."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_bus_policy.this.policy).Statement[0].Principal.AWS == "arn:aws:iam::111122223333:root"
    error_message = "Only the transcription's account puts events on this bus."
  }

  assert {
    condition     = output.bus_arn == "arn:aws:events:eu-west-2:444455556666:event-bus/transcripts"
    error_message = "The bus that an operator would name as a target."
  }

  assert {
    condition     = alltrue([for rule in [aws_cloudwatch_event_rule.shared[0], aws_cloudwatch_event_rule.queue] : jsondecode(rule.event_pattern) == { source = ["connect-transcription"], "detail-type" = [{ "anything-but" = ["Session Requested"] }] }])
    error_message = "All events but requests come."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement == [{ Effect = "Allow", Action = "events:PutEvents", Resource = "arn:aws:events:eu-west-2:444455556666:event-bus/transcripts" }] && jsondecode(aws_cloudwatch_event_bus_policy.this.policy).Statement[0].Condition.StringEquals["events:source"] == "connect-transcription"
    error_message = "…to this bus alone, and nothing else comes to it."
  }

  assert {
    condition     = alltrue([for policy in aws_sqs_queue_policy.this : jsondecode(policy.policy).Statement[1].Principal == { Service = "events.amazonaws.com" } && jsondecode(policy.policy).Statement[1].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:events:eu-west-2:444455556666:rule/transcripts/queue"]) && alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled])
    error_message = "The rule may send to the queues, which EventBridge can encrypt."
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.queue.dead_letter_config) == 1
    error_message = "What is not taken is kept."
  }
}

run "a_subscription_that_the_operator_makes" {
  command = plan

  module {
    source = "../modules/subscription"
  }

  variables {
    source_bus_arn = "arn:aws:events:eu-west-2:111122223333:event-bus/calls"
    self_service   = false
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.shared) + length(aws_iam_role.this) == 0
    error_message = "The rule on the shared bus is the operator's."
  }
}
