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
}
