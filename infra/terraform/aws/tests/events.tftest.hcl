# Bus, rules, queues, archive: what an emulator does not enforce is asserted here.

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
  consumer_accounts = ["444455556666"]
  contact_events = {
    enabled      = true
    function_arn = "arn:aws:lambda:eu-west-2:111122223333:function:calls-contact-events"
    instance_arn = "arn:aws:connect:eu-west-2:111122223333:instance/11111111-2222-3333-4444-555555555555"
  }
}

run "queues_and_rules" {
  command = plan

  module {
    source = "../modules/events"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.session_requests.event_pattern) == {
      source        = ["connect-transcription"]
      "detail-type" = ["Session Requested"]
      "replay-name" = [{ exists = false }]
    }
    error_message = "A replayed request must not start a call."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_archive.this[0].event_pattern)["detail-type"] == [{ "anything-but" = ["Session Requested"] }]
    error_message = "Session requests are not archived."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.this["session-requests"].policy).Statement[1].Principal == { Service = "events.amazonaws.com" }
    error_message = "EventBridge may send to the queue of requests."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.this["session-requests"].policy).Statement[1].Condition == { ArnEquals = { "aws:SourceArn" = ["arn:aws:events:eu-west-2:111122223333:rule/calls/session-requests"] } }
    error_message = "…from its one rule."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_policy.this["session-requests"].policy).Statement[1].Resource == "arn:aws:sqs:eu-west-2:111122223333:calls-session-requests"
    error_message = "…and to this queue."
  }

  assert {
    condition     = alltrue([for policy in aws_sqs_queue_policy.this : jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition == { Bool = { "aws:SecureTransport" = "false" } }])
    error_message = "No queue takes anything that is not encrypted on its way."
  }

  assert {
    condition     = alltrue([for key in ["transcripts", "transcripts-dlq"] : length(jsondecode(aws_sqs_queue_policy.this[key].policy).Statement) == 1])
    error_message = "EventBridge has no business in the queues of transcripts."
  }

  assert {
    condition     = aws_sqs_queue.this["transcripts"].fifo_throughput_limit == "perMessageGroupId" && aws_sqs_queue.this["transcripts"].deduplication_scope == "messageGroup"
    error_message = "Transcripts are high-throughput FIFO."
  }

  assert {
    condition     = aws_sqs_queue.this["transcripts-dlq"].fifo_queue && aws_sqs_queue.this["transcripts"].fifo_queue
    error_message = "The dead letters of a FIFO queue are in a FIFO queue."
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled && queue.kms_master_key_id == null])
    error_message = "Without a key of one's own: SSE-SQS, which EventBridge can use, and never alias/aws/sqs."
  }

  assert {
    condition     = toset(keys(aws_sqs_queue_redrive_policy.this)) == toset(["session-requests", "transcripts"])
    error_message = "Both queues have a dead-letter queue."
  }

  assert {
    condition     = alltrue([for key in ["session-requests", "transcripts"] : aws_sqs_queue.this[key].visibility_timeout_seconds == 60])
    error_message = "The visibility is the lease: 60 s."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.contact_events[0].event_bus_name == null && aws_cloudwatch_event_rule.contact_events[0].state == "ENABLED"
    error_message = "Contact events come on the default bus."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.contact_events[0].event_pattern).source == ["aws.connect"]
    error_message = "…from Amazon Connect."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_bus_policy.this[0].policy).Statement[0].Condition.StringEqualsIfExists["events:creatorAccount"] == "$${aws:PrincipalAccount}"
    error_message = "Another account manages its own rules and no others."
  }

  assert {
    condition     = contains(keys(aws_schemas_schema.this), "TranscriptSegment") && contains(keys(aws_schemas_schema.this), "SessionEnded")
    error_message = "The registry has the events' schemas."
  }
}

run "a_key_of_ones_own" {
  command = plan

  module {
    source = "../modules/events"
  }

  variables {
    key_arn           = "arn:aws:kms:eu-west-2:111122223333:key/11111111-2222-3333-4444-555555555555"
    consumer_accounts = []
    contact_events    = null
    archive_days      = 0
    schemas           = false
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.kms_master_key_id == var.key_arn])
    error_message = "Every queue is encrypted with it."
  }

  assert {
    condition     = length(aws_cloudwatch_event_archive.this) + length(aws_cloudwatch_event_bus_policy.this) + length(aws_cloudwatch_event_rule.contact_events) + length(aws_schemas_registry.this) == 0
    error_message = "What was not asked for is not made."
  }
}

run "the_key_lets_eventbridge_send" {
  command = plan

  module {
    source = "../modules/encryption"
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.Service, "") == "events.amazonaws.com" && statement.Effect == "Allow"
      && try(toset(statement.Action) == toset(["kms:Decrypt", "kms:GenerateDataKey"]), false)
    ])
    error_message = "The key's policy names events.amazonaws.com."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key rotates."
  }
}

run "the_session_store" {
  command = plan

  module {
    source = "../modules/sessions"
  }

  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "On demand."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].enabled && aws_dynamodb_table.this.ttl[0].attribute_name == "expires_at"
    error_message = "Sessions expire."
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "Any second of the last weeks can be restored."
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "It is not deleted by mistake."
  }
}
