# What a stack with the least of settings consists of.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region           = "eu-west-2"
  image_tag        = "0.1.0"
  stream_prefix    = "contact-centre"
  deepgram_api_key = "not-a-key-of-anybody"
  link_secret      = "not-a-secret-0123456789-0123456789"
}

run "plans" {
  command = plan

  assert {
    condition     = output.trigger_arn == "arn:aws:lambda:eu-west-2:111122223333:function:connect-transcription-trigger"
    error_message = "The trigger is named after the prefix."
  }

  assert {
    condition     = output.table_name == "connect-transcription-sessions"
    error_message = "The table is named after the prefix."
  }

  assert {
    condition     = [for name in ["session-requests", "session-requests-dlq", "transcripts", "transcripts-dlq"] : output.queues[name].name] == ["connect-transcription-session-requests", "connect-transcription-session-requests-dlq", "connect-transcription-transcripts.fifo", "connect-transcription-transcripts-dlq.fifo"]
    error_message = "Queues are named after the prefix, FIFO ones with the ending that SQS asks for."
  }
}

run "refuses_a_stack_without_a_deepgram_key" {
  command = plan

  variables {
    deepgram_api_key = null
  }

  expect_failures = [var.deepgram_api_key]
}

run "takes_the_arn_of_an_existing_key" {
  command = plan

  variables {
    deepgram_api_key            = null
    deepgram_api_key_secret_arn = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:deepgram-AbCdEf"
  }

  assert {
    condition     = output.table_name != null
    error_message = "It plans."
  }
}

run "refuses_public_deepgram_with_private_networking" {
  command = plan

  variables {
    private = true
  }

  expect_failures = [var.private]
}

run "refuses_spot_for_what_holds_calls" {
  command = plan

  variables {
    services = { ingest = { capacity = "FARGATE_SPOT" } }
  }

  expect_failures = [var.services]
}

run "refuses_instances_without_a_way_out" {
  command = plan

  variables {
    ec2 = { instance_type = "c7g.xlarge", max = 2 }
  }

  expect_failures = [var.ec2]
}

run "refuses_instances_under_a_name_of_ecs" {
  command = plan

  variables {
    prefix       = "ecs-calls"
    private      = true
    deepgram_api = "ws://deepgram.example.internal:8080/v1/listen"
    ec2          = { instance_type = "c7g.xlarge", max = 2 }
  }

  expect_failures = [var.ec2]
}

run "refuses_capacity_that_is_not_there" {
  command = plan

  variables {
    services = { ingest = { capacity = "EC2" } }
  }

  expect_failures = [var.services]
}

run "refuses_a_link_secret_that_can_be_guessed" {
  command = plan

  variables {
    link_secret = "short"
  }

  expect_failures = [var.link_secret]
}

run "refuses_services_without_images" {
  command = plan

  variables {
    image_tag = null
    images    = { ingest = "registry.example/ingest:0.1.0" }
  }

  expect_failures = [var.image_tag]
}

run "refuses_a_prefix_that_names_cannot_begin_with" {
  command = plan

  variables {
    prefix = "Calls_UK"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_consumer_that_cannot_be_named" {
  command = plan

  variables {
    consumers = { Quality_Team = { target_arn = "arn:aws:sqs:eu-west-2:111122223333:quality" } }
  }

  expect_failures = [var.consumers]
}

run "refuses_to_sign_without_secrets" {
  command = plan

  variables {
    sign_callbacks = true
  }

  expect_failures = [var.signing_secrets]
}

run "refuses_an_empty_stream_prefix" {
  command = plan

  variables {
    stream_prefix = ""
  }

  expect_failures = [var.stream_prefix]
}
