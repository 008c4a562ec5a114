# Tasks and the function: what they may do, how they are deployed and scaled.

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
  cluster = { arn = "arn:aws:ecs:eu-west-2:111122223333:cluster/calls", name = "calls" }
  network = { subnet_ids = ["subnet-1"], security_group_id = "sg-1", public_ip = false }
}

run "a_task" {
  command = plan

  module {
    source = "../modules/task"
  }

  variables {
    name = "ingest"
    task = {
      image        = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/calls/ingest:0.1.0"
      architecture = "ARM64"
      cpu          = 1024
      memory       = 2048
      min          = 2
      max          = 10
      capacity     = [{ provider = "FARGATE" }]
      schedules    = { evening = { schedule = "cron(0 19 ? * MON-FRI *)", min = 1, max = 4 } }
    }
    service = {
      environment = {}
      secrets     = { LINK_SECRET = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:calls/link-secret-AbCdEf" }
      statements  = [{ sid = "Requests", actions = ["sqs:ReceiveMessage"], resources = ["arn:aws:sqs:eu-west-2:111122223333:calls-session-requests"] }]
      registries  = ["arn:aws:servicediscovery:eu-west-2:111122223333:service/srv-1"]
      scaling     = { sessions_per_task = 175, backlog_per_task = 5, queue_name = "calls-session-requests" }
    }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A deployment that does not become healthy is rolled back."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "New tasks come before old ones go."
  }

  assert {
    condition     = aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "ARM."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user == "10001"
    error_message = "No root, nothing to write to."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 60
    error_message = "Time to hand the sessions over."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets == [{ name = "LINK_SECRET", valueFrom = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:calls/link-secret-AbCdEf" }]
    error_message = "Secrets come from Secrets Manager."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].healthCheck.command == ["CMD", "python", "-m", "telemetry.health"]
    error_message = "The process is asked whether it lives."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.task.policy).Statement == [{ Sid = "Requests", Effect = "Allow", Action = ["sqs:ReceiveMessage"], Resource = ["arn:aws:sqs:eu-west-2:111122223333:calls-session-requests"] }]
    error_message = "The task may do what is named, and nothing else."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid] == ["Logs", "RegistryLogin", "Image", "Secrets"]
    error_message = "ECS may pull the image, write the log and read the secrets."
  }

  assert {
    condition     = aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metric_name == "SessionsLive"
    error_message = "The number of tasks follows the sessions per task."
  }

  assert {
    condition     = { for dimension in aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].dimensions : dimension.name => dimension.value } == { stack = "calls", service = "ingest" }
    error_message = "…of this stack alone."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment == [{ name = "AWS_DEFAULT_REGION", value = "eu-west-2" }, { name = "LOG_LEVEL", value = "INFO" }, { name = "STACK", value = "calls" }]
    error_message = "A task knows its region and the name of its stack."
  }

  assert {
    condition     = aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration[0].target_value == 5
    error_message = "…and the backlog per task."
  }

  assert {
    condition     = aws_appautoscaling_scheduled_action.this["evening"].scalable_target_action[0].min_capacity == "1"
    error_message = "…and the schedule."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "Logs are not kept for ever."
  }
}

run "no_task_may_do_everything" {
  command = plan

  module {
    source = "../modules/task"
  }

  variables {
    name    = "delivery"
    task    = { image = "delivery:0.1.0", architecture = "ARM64", cpu = 512, memory = 1024, min = 1, max = 1, capacity = [{ provider = "FARGATE" }] }
    service = { environment = {}, statements = [{ sid = "All", actions = ["sqs:*"], resources = ["*"] }] }
  }

  expect_failures = [var.service]
}

run "the_trigger" {
  command = plan

  module {
    source = "../modules/trigger"
  }

  variables {
    image               = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/calls/trigger:0.1.0"
    architecture        = "ARM64"
    retention_days      = 30
    log_level           = "INFO"
    log_retention_days  = 30
    network             = null
    connect_instance_id = "11111111-2222-3333-4444-555555555555"
    bus                 = { name = "calls", arn = "arn:aws:events:eu-west-2:111122223333:event-bus/calls" }
    table               = { name = "calls-sessions", arn = "arn:aws:dynamodb:eu-west-2:111122223333:table/calls-sessions" }
  }

  assert {
    condition     = aws_lambda_permission.connect.principal == "connect.amazonaws.com" && aws_lambda_permission.connect.source_arn == "arn:aws:connect:eu-west-2:111122223333:instance/11111111-2222-3333-4444-555555555555"
    error_message = "The one Connect instance may invoke the function."
  }

  assert {
    condition     = aws_connect_lambda_function_association.this[0].instance_id == "11111111-2222-3333-4444-555555555555"
    error_message = "…and offers it in its flows."
  }

  assert {
    condition     = aws_lambda_function.this["trigger"].timeout == 8 && aws_lambda_function.this["contact-events"].image_config[0].command == tolist(["services.trigger.handler.contact_event"])
    error_message = "A flow waits 8 s; the same image hears contact events."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1] == { Sid = "Requests", Effect = "Allow", Action = ["events:PutEvents"], Resource = ["arn:aws:events:eu-west-2:111122223333:event-bus/calls"] }
    error_message = "It publishes on the one bus."
  }
}

run "secrets" {
  command = plan

  module {
    source = "../modules/secrets"
  }

  variables {
    deepgram_api_key = "not-a-key-of-anybody"
    link_secret      = "not-a-secret-0123456789-0123456789"
    versions         = { link_secret = 3 }
  }

  assert {
    condition     = aws_secretsmanager_secret_version.deepgram_api_key[0].secret_string == null && aws_secretsmanager_secret_version.link_secret[0].secret_string == null
    error_message = "No value goes through an argument that the state keeps."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.link_secret[0].secret_string_wo_version == 3
    error_message = "A higher version writes the value anew."
  }

  assert {
    condition     = length(aws_secretsmanager_secret_version.signing_secrets) == 0
    error_message = "Nothing is signed unless asked for."
  }
}
