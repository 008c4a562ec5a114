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

run "how_a_task_runs" {
  command = plan

  module {
    source = "../modules/task"
  }

  variables {
    name            = "transcribe"
    key_arn         = "arn:aws:kms:eu-west-2:111122223333:key/own"
    secret_key_arns = ["arn:aws:kms:eu-west-2:111122223333:key/operators"]
    network         = { subnet_ids = ["subnet-1"], security_group_id = "sg-1", public_ip = true }
    task = {
      image          = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/calls/transcribe:0.1.0"
      architecture   = "X86_64"
      cpu            = 1024
      memory         = 2048
      min            = 2
      max            = 10
      capacity       = [{ provider = "FARGATE", base = 1, weight = 0 }, { provider = "FARGATE_SPOT", weight = 1 }]
      stop_timeout_s = 90
    }
    service = {
      environment = { LINK_PORT = "8443" }
      secrets     = { DEEPGRAM_API_KEY = "deepgram-api-key" }
      statements  = [{ sid = "Log", actions = ["dynamodb:GetItem"], resources = ["table"] }]
      port        = 8443
      registries  = ["registry"]
      scaling     = { sessions_per_task = 280 }
    }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_maximum_percent == 200 && aws_ecs_service.this.desired_count == 2
    error_message = "In a deployment there is room for both generations."
  }

  assert {
    condition     = aws_ecs_service.this.force_new_deployment
    error_message = "A service may change from one capacity to another: AWS takes that with a new deployment alone."
  }

  assert {
    condition     = { for strategy in aws_ecs_service.this.capacity_provider_strategy : strategy.capacity_provider => [strategy.base, strategy.weight] } == { FARGATE = [1, 0], FARGATE_SPOT = [0, 1] }
    error_message = "The capacity that was chosen."
  }

  assert {
    condition     = aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"]) && aws_ecs_task_definition.this.network_mode == "awsvpc" && aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "X86_64"
    error_message = "On Fargate, on the processor that was chosen."
  }

  assert {
    condition     = aws_ecs_service.this.network_configuration[0].assign_public_ip && tolist(aws_ecs_service.this.network_configuration[0].security_groups) == tolist(["sg-1"]) && tolist(aws_ecs_service.this.network_configuration[0].subnets) == tolist(["subnet-1"])
    error_message = "In the network that was made for it."
  }

  assert {
    condition     = aws_ecs_service.this.service_registries[0].registry_arn == "registry"
    error_message = "Cloud Map knows its tasks."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters == { capabilities = { drop = ["ALL"] }, initProcessEnabled = false } && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 90
    error_message = "No capability; the process itself gets SIGTERM, and the time that was chosen."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].portMappings == [{ containerPort = 8443, hostPort = 8443, protocol = "tcp" }] && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].image == var.task.image
    error_message = "The image that was named, on its port."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].logConfiguration.options.mode == "non-blocking" && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].logConfiguration.options["awslogs-group"] == aws_cloudwatch_log_group.this.name
    error_message = "A slow log holds up no call."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/calls/transcribe" && aws_cloudwatch_log_group.this.kms_key_id == var.key_arn
    error_message = "The log is named after the stack, and encrypted with the operator's key."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid => statement.Resource } == {
      Logs          = "arn:aws:logs:eu-west-2:111122223333:log-group:/calls/transcribe:*"
      RegistryLogin = "*"
      Image         = "arn:aws:ecr:eu-west-2:111122223333:repository/calls/transcribe"
      Secrets       = ["deepgram-api-key"]
      SecretsKey    = ["arn:aws:kms:eu-west-2:111122223333:key/own", "arn:aws:kms:eu-west-2:111122223333:key/operators"]
    }
    error_message = "ECS may write this log, pull this image and read this secret, whichever key encrypts it."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Sid => { actions = flatten([statement.Action]), resources = statement.Resource } } == {
      Log        = { actions = ["dynamodb:GetItem"], resources = ["table"] }
      Key        = { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = ["arn:aws:kms:eu-west-2:111122223333:key/own"] }
      SecretKeys = { actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-west-2:111122223333:key/operators"] }
    }
    error_message = "The service may use the keys of what it uses."
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.task, aws_iam_role.execution] :
      jsondecode(role.assume_role_policy).Statement[0].Principal == { Service = "ecs-tasks.amazonaws.com" }
      && jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == { "aws:SourceAccount" = "111122223333" }
    ])
    error_message = "ECS, for this account, acts as the service."
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 2 && aws_appautoscaling_target.this.max_capacity == 10 && aws_appautoscaling_target.this.resource_id == "service/calls/transcribe"
    error_message = "Between the least and the most that were chosen."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.backlog) == 0 && aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].target_value == 280
    error_message = "…as many as the sessions need."
  }

  assert {
    condition     = aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].scale_in_cooldown == 300 && aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].scale_out_cooldown == 30 && !coalesce(aws_appautoscaling_policy.sessions[0].target_tracking_scaling_policy_configuration[0].disable_scale_in, false)
    error_message = "…out at once and in slowly: each step in hands calls over."
  }
}

run "a_task_on_instances" {
  command = plan

  module {
    source = "../modules/task"
  }

  variables {
    name    = "delivery"
    network = { subnet_ids = ["subnet-1"], security_group_id = "sg-1", public_ip = true }
    task    = { image = "delivery:0.1.0", architecture = "ARM64", cpu = 512, memory = 1024, min = 1, max = 6, capacity = [{ provider = "calls-ec2" }], on_ec2 = true }
    service = { environment = {}, statements = [{ sid = "Marks", actions = ["dynamodb:Query"], resources = ["table"] }], scaling = { backlog_per_task = 500, queue_name = "calls-transcripts.fifo" } }
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip && aws_ecs_task_definition.this.requires_compatibilities == toset(["EC2"])
    error_message = "ECS gives tasks on instances no public address."
  }

  assert {
    condition     = [for metric in aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics : metric.expression if metric.return_data] == ["waiting / IF(tasks > 0, tasks, 1)"]
    error_message = "The number of tasks follows the backlog per task…"
  }

  assert {
    condition = {
      for metric in aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics : metric.id => {
        name       = metric.metric_stat[0].metric[0].metric_name
        dimensions = { for dimension in metric.metric_stat[0].metric[0].dimensions : dimension.name => dimension.value }
      } if length(metric.metric_stat) > 0
      } == {
      waiting = { name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "calls-transcripts.fifo" } }
      tasks   = { name = "RunningTaskCount", dimensions = { ClusterName = "calls", ServiceName = "delivery" } }
    }
    error_message = "…of its queue."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.sessions) == 0
    error_message = "…and nothing else."
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

  assert {
    condition     = toset([for secret in aws_secretsmanager_secret.this : secret.name]) == toset(["calls/deepgram-api-key", "calls/link-secret"]) && alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 7])
    error_message = "Both are the stack's, and can be restored for a week."
  }
}

run "secrets_that_exist_already" {
  command = plan

  module {
    source = "../modules/secrets"
  }

  variables {
    key_arn              = "arn:aws:kms:eu-west-2:111122223333:key/own"
    deepgram_api_key_arn = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:deepgram-AbCdEf"
    link_secret_arn      = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:link-AbCdEf"
    sign                 = true
    signing_secrets      = "whsec_bm90LWEtc2VjcmV0LTAxMjM0NTY3ODk="
  }

  assert {
    condition     = output.deepgram_api_key_arn == var.deepgram_api_key_arn && output.link_secret_arn == var.link_secret_arn
    error_message = "They are only named."
  }

  assert {
    condition     = keys(aws_secretsmanager_secret.this) == ["signing-secrets"] && aws_secretsmanager_secret.this["signing-secrets"].kms_key_id == var.key_arn && length(aws_secretsmanager_secret_version.deepgram_api_key) + length(aws_secretsmanager_secret_version.link_secret) == 0
    error_message = "Those that are missing are made, under the operator's key."
  }
}
