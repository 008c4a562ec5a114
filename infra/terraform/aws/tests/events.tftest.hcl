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

# ARNs are known beforehand here, so that what names what can be asserted.
run "what_leads_where" {
  command = plan

  module {
    source = "../modules/events"
  }

  override_resource {
    target          = aws_sqs_queue.this["session-requests"]
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-west-2:111122223333:calls-session-requests", url = "https://sqs/session-requests" }
  }

  override_resource {
    target          = aws_sqs_queue.this["session-requests-dlq"]
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-west-2:111122223333:calls-session-requests-dlq", url = "https://sqs/session-requests-dlq" }
  }

  override_resource {
    target          = aws_sqs_queue.this["transcripts"]
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-west-2:111122223333:calls-transcripts.fifo", url = "https://sqs/transcripts.fifo" }
  }

  override_resource {
    target          = aws_sqs_queue.this["transcripts-dlq"]
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-west-2:111122223333:calls-transcripts-dlq.fifo", url = "https://sqs/transcripts-dlq.fifo" }
  }

  override_resource {
    target          = aws_sqs_queue.this["undelivered"]
    override_during = plan
    values          = { arn = "arn:aws:sqs:eu-west-2:111122223333:calls-undelivered", url = "https://sqs/undelivered" }
  }

  override_resource {
    target          = aws_cloudwatch_event_bus.this
    override_during = plan
    values          = { arn = "arn:aws:events:eu-west-2:111122223333:event-bus/calls" }
  }

  assert {
    condition     = aws_cloudwatch_event_target.session_requests.arn == aws_sqs_queue.this["session-requests"].arn && aws_cloudwatch_event_target.session_requests.event_bus_name == "calls"
    error_message = "Requests go to ingest's queue."
  }

  assert {
    condition = alltrue([
      for target in [aws_cloudwatch_event_target.session_requests, aws_cloudwatch_event_target.contact_events[0]] :
      target.dead_letter_config[0].arn == aws_sqs_queue.this["undelivered"].arn
    ])
    error_message = "What EventBridge cannot hand over is kept…"
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.this["undelivered"].policy).Statement[1] == {
      Sid       = "EventBridge"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-2:111122223333:calls-undelivered"
      Condition = { ArnEquals = { "aws:SourceArn" = [
        "arn:aws:events:eu-west-2:111122223333:rule/calls/session-requests",
        "arn:aws:events:eu-west-2:111122223333:rule/calls-contact-events",
      ] } }
    }
    error_message = "…in a queue that its two rules may send to."
  }

  assert {
    condition     = aws_cloudwatch_event_target.session_requests.retry_policy[0].maximum_event_age_in_seconds == 300
    error_message = "A request of a call that is over is not handed over."
  }

  assert {
    condition     = aws_cloudwatch_event_target.contact_events[0].arn == var.contact_events.function_arn
    error_message = "Contact events go to the function."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.contact_events[0].event_pattern) == {
      source        = ["aws.connect"]
      "detail-type" = ["Amazon Connect Contact Event"]
      detail        = { eventType = ["DISCONNECTED", "INITIATED", "CONNECTED_TO_AGENT"] }
      resources     = [{ prefix = "arn:aws:connect:eu-west-2:111122223333:instance/11111111-2222-3333-4444-555555555555" }]
    }
    error_message = "…ends and transfers, of the one instance."
  }

  assert {
    condition = alltrue([
      for key in ["session-requests", "transcripts"] : jsondecode(aws_sqs_queue_redrive_policy.this[key].redrive_policy) == {
        deadLetterTargetArn = aws_sqs_queue.this["${key}-dlq"].arn
        maxReceiveCount     = 1000
      } && aws_sqs_queue_redrive_policy.this[key].queue_url == aws_sqs_queue.this[key].url
    ])
    error_message = "A request is received again at each take-over: only after 1000 times it is a dead letter."
  }

  assert {
    condition = alltrue([
      for key in ["session-requests", "transcripts"] : jsondecode(aws_sqs_queue.this["${key}-dlq"].redrive_allow_policy) == {
        redrivePermission = "byQueue"
        sourceQueueArns   = [aws_sqs_queue.this[key].arn]
      }
    ])
    error_message = "A dead-letter queue is that of its one queue."
  }

  assert {
    condition     = alltrue([for key, queue in aws_sqs_queue.this : queue.message_retention_seconds == (key == "session-requests" ? 345600 : 1209600)])
    error_message = "Transcripts and dead letters are kept as long as SQS keeps anything."
  }

  assert {
    condition     = alltrue([for key, policy in aws_sqs_queue_policy.this : policy.queue_url == aws_sqs_queue.this[key].url])
    error_message = "Each queue has its own policy."
  }

  assert {
    condition     = aws_cloudwatch_event_archive.this[0].event_source_arn == aws_cloudwatch_event_bus.this.arn && aws_cloudwatch_event_archive.this[0].retention_days == 14
    error_message = "The bus is archived for two weeks."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_bus_policy.this[0].policy).Statement[0].Principal == { AWS = ["arn:aws:iam::444455556666:root"] }
    error_message = "The accounts that are named may make rules, and no others…"
  }

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_bus_policy.this[0].policy).Statement[0].Resource == "arn:aws:events:eu-west-2:111122223333:rule/calls/*"
      && jsondecode(aws_cloudwatch_event_bus_policy.this[0].policy).Statement[0].Condition.StringEqualsIfExists["events:source"] == "connect-transcription"
      && !anytrue([for action in jsondecode(aws_cloudwatch_event_bus_policy.this[0].policy).Statement[0].Action : endswith(action, "*") || action == "events:PutEvents"])
    )
    error_message = "…on this bus, for its events, and put none on it."
  }

  assert {
    condition     = { for key, schema in aws_schemas_schema.this : schema.name => schema.content } == { for file in fileset("../modules/events/schemas", "*.json") : "connect-transcription@${trimsuffix(file, ".json")}" => file("../modules/events/schemas/${file}") }
    error_message = "Every event has its schema."
  }
}

run "contact_events_can_be_turned_off" {
  command = plan

  module {
    source = "../modules/events"
  }

  variables {
    contact_events = { enabled = false, function_arn = "arn:aws:lambda:eu-west-2:111122223333:function:calls-contact-events" }
  }

  assert {
    condition     = aws_cloudwatch_event_rule.contact_events[0].state == "DISABLED" && !can(jsondecode(aws_cloudwatch_event_rule.contact_events[0].event_pattern).resources)
    error_message = "The rule is there and rests; without an instance it is for any."
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

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      try(statement.Principal.AWS, null) == "arn:aws:iam::111122223333:root"
      || try(statement.Condition.StringEquals["aws:SourceAccount"], null) == "111122223333"
      || try(statement.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"], null) == "arn:aws:logs:eu-west-2:111122223333:log-group:*calls*"
    ])
    error_message = "…and is this account's alone."
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

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "pk" && aws_dynamodb_table.this.range_key == "sk" && !aws_dynamodb_table.this.server_side_encryption[0].enabled
    error_message = "Keys as the services write them, encrypted with a key that AWS owns…"
  }
}

run "the_session_store_under_a_key_of_ones_own" {
  command = plan

  module {
    source = "../modules/sessions"
  }

  variables {
    key_arn = "arn:aws:kms:eu-west-2:111122223333:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.key_arn
    error_message = "…or with one's own."
  }
}
