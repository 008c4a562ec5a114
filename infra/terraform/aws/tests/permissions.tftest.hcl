# What each service may touch. That its actions are those of its code is tested in tests/unit/infra.

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
  bus   = { name = "calls", arn = "bus" }
  table = { name = "calls-sessions", arn = "table" }
  queues = {
    for name in ["session-requests", "session-requests-dlq", "transcripts", "transcripts-dlq"] :
    name => { name = "calls-${name}", url = "https://sqs/${name}", arn = name }
  }
  link_secret_arn = "link-secret"
}

run "ingest" {
  command = plan

  module {
    source = "../modules/ingest"
  }

  variables {
    transcribe_endpoint = "transcribe.calls.internal:8443"
    max_sessions        = 250
    stream_prefix       = "contact-centre"
    stream_key_arns     = ["arn:aws:kms:eu-west-2:111122223333:key/streams"]
  }

  assert {
    condition = { for statement in output.service.statements : statement.sid => statement.resources } == {
      Requests   = ["session-requests"]
      LinkSecret = ["link-secret"]
      Audio      = ["arn:aws:kinesisvideo:eu-west-2:111122223333:stream/contact-centre*/*"]
      AudioKey   = tolist(["arn:aws:kms:eu-west-2:111122223333:key/streams"])
    }
    error_message = "Its queue, the link's secret, the media streams with Connect's prefix, and their key."
  }

  assert {
    condition     = [for statement in output.service.statements : statement.actions if statement.sid == "AudioKey"] == [["kms:Decrypt"]]
    error_message = "…which it decrypts with."
  }

  assert {
    condition     = output.service.scaling == { sessions_per_task = 175, backlog_per_task = 5, queue_name = "calls-session-requests" }
    error_message = "The number of tasks follows 70 % of what one takes, and what waits."
  }

  assert {
    condition     = output.service.environment.TRANSCRIBE_ENDPOINTS == "transcribe.calls.internal:8443" && output.service.environment.MAX_SESSIONS == "250"
    error_message = "It finds transcribe by its name."
  }
}

run "ingest_of_streams_that_connect_encrypts" {
  command = plan

  module {
    source = "../modules/ingest"
  }

  variables {
    transcribe_endpoint = "transcribe.calls.internal:8443"
    max_sessions        = 250
    stream_prefix       = "contact-centre"
  }

  assert {
    condition     = !anytrue([for statement in output.service.statements : anytrue([for action in statement.actions : startswith(action, "kms:")])])
    error_message = "No key that is not used."
  }
}

run "transcribe" {
  command = plan

  module {
    source = "../modules/transcribe"
  }

  variables {
    registry_arn         = "registry"
    deepgram_api_key_arn = "deepgram-api-key"
    deepgram_api         = "wss://api.deepgram.com/v1/listen"
    link_port            = 8443
    max_sessions         = 400
    retention_days       = 30
  }

  assert {
    condition = { for statement in output.service.statements : statement.sid => statement.resources } == {
      Log          = ["table"]
      Transcripts  = ["transcripts"]
      Lease        = ["session-requests"]
      DeadRequests = ["session-requests-dlq"]
      LinkSecret   = ["link-secret"]
      Events       = ["bus"]
    }
    error_message = "The session store, three queues for what each is for, the link's secret and the bus."
  }

  assert {
    condition     = output.service.secrets == { DEEPGRAM_API_KEY = "deepgram-api-key" } && !contains(keys(output.service.environment), "DEEPGRAM_API_KEY")
    error_message = "Deepgram's key comes from Secrets Manager."
  }

  assert {
    condition     = output.service.registries == ["registry"] && output.service.port == 8443
    error_message = "Cloud Map knows where it listens."
  }

  assert {
    condition     = output.service.scaling == { sessions_per_task = 280 }
    error_message = "The number of tasks follows 70 % of what one takes."
  }
}

run "delivery" {
  command = plan

  module {
    source = "../modules/delivery"
  }

  variables {
    sign                = true
    signing_secrets_arn = "signing-secrets"
  }

  assert {
    condition = { for statement in output.service.statements : statement.sid => statement.resources } == {
      Transcripts    = ["transcripts"]
      GivenUp        = ["transcripts-dlq"]
      Marks          = ["table"]
      Events         = ["bus"]
      SigningSecrets = ["signing-secrets"]
    }
    error_message = "Its queue and the dead letters, the session store, the bus and the signing secrets."
  }

  assert {
    condition     = output.service.scaling == { backlog_per_task = 500, queue_name = "calls-transcripts" }
    error_message = "The number of tasks follows what waits."
  }
}

run "delivery_that_signs_nothing" {
  command = plan

  module {
    source = "../modules/delivery"
  }

  assert {
    condition     = !contains([for statement in output.service.statements : statement.sid], "SigningSecrets") && !contains(keys(output.service.environment), "CREDENTIALS_SECRET_ID")
    error_message = "No secret that is not used."
  }
}

run "trigger_in_a_vpc" {
  command = plan

  module {
    source = "../modules/trigger"
  }

  variables {
    key_arn            = "arn:aws:kms:eu-west-2:111122223333:key/own"
    image              = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/calls/trigger:0.1.0"
    architecture       = "ARM64"
    retention_days     = 30
    log_level          = "INFO"
    log_retention_days = 30
    network            = { subnet_ids = ["subnet-1"], security_group_id = "sg-1" }
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => statement.Resource } == {
      Headers  = ["table"]
      Requests = ["bus"]
      Logs     = ["arn:aws:logs:eu-west-2:111122223333:log-group:/aws/lambda/calls-trigger:*"]
      Key      = ["arn:aws:kms:eu-west-2:111122223333:key/own"]
    }
    error_message = "The session store, the bus, its log and the key."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.vpc[0].policy_arn == "arn:aws:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"
    error_message = "In a VPC Lambda makes network interfaces."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.vpc_config[0].security_group_ids == toset(["sg-1"]) && function.kms_key_arn == var.key_arn])
    error_message = "Both functions are in it, their settings encrypted."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
    error_message = "Lambda, and nobody else, acts as the function."
  }

  assert {
    condition     = aws_lambda_permission.connect.source_arn == "arn:aws:connect:eu-west-2:111122223333:instance/*" && aws_lambda_permission.connect.source_account == "111122223333" && length(aws_connect_lambda_function_association.this) == 0
    error_message = "Without an instance's id any of the account may invoke it, and none is associated."
  }

  assert {
    condition     = aws_lambda_permission.contact_events.principal == "events.amazonaws.com" && aws_lambda_permission.contact_events.source_arn == "arn:aws:events:eu-west-2:111122223333:rule/calls-contact-events"
    error_message = "Contact events come by one rule."
  }
}

run "instances_carry_the_policy_of_ecs_alone" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  variables {
    vpc_id             = "vpc-1"
    subnet_ids         = ["subnet-1"]
    security_group_ids = ["sg-ec2"]
    ec2                = { instance_type = "c7g.xlarge", max = 4 }
  }

  assert {
    condition     = aws_iam_role_policy_attachment.ec2[0].policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    error_message = "What ECS's agent needs."
  }

  assert {
    condition     = aws_launch_template.ec2[0].metadata_options[0].http_tokens == "required" && strcontains(base64decode(aws_launch_template.ec2[0].user_data), "ECS_AWSVPC_BLOCK_IMDS=true")
    error_message = "A task does not come by its instance's rights."
  }

  assert {
    condition     = aws_launch_template.ec2[0].block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.ec2[0].vpc_security_group_ids == toset(["sg-ec2"])
    error_message = "Disks are encrypted; the instance has the network's group."
  }

  assert {
    condition     = strcontains(aws_launch_template.ec2[0].image_id, "/amazon-linux-2023/arm64/recommended/") && strcontains(base64decode(aws_launch_template.ec2[0].user_data), "ECS_CLUSTER=calls")
    error_message = "ECS's own image for the architecture, for this cluster."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT", "calls-ec2"])
    error_message = "Services may choose between three kinds of capacity."
  }

  assert {
    condition     = aws_ecs_capacity_provider.ec2[0].auto_scaling_group_provider[0].managed_draining == "ENABLED" && aws_ecs_capacity_provider.ec2[0].auto_scaling_group_provider[0].managed_scaling[0].status == "ENABLED"
    error_message = "Instances come and go with the tasks, which hand their calls over before."
  }
}

run "fargate_and_names_by_default" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  variables {
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1"]
  }

  assert {
    condition     = length(aws_autoscaling_group.ec2) == 0 && aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "No instances."
  }

  assert {
    condition     = output.transcribe.host == "transcribe.calls.internal" && aws_service_discovery_private_dns_namespace.this.name == "calls.internal" && aws_service_discovery_private_dns_namespace.this.vpc == "vpc-1"
    error_message = "transcribe is found by a name inside the VPC…"
  }

  assert {
    condition     = aws_service_discovery_service.transcribe.name == "transcribe" && aws_service_discovery_service.transcribe.dns_config[0].routing_policy == "MULTIVALUE" && aws_service_discovery_service.transcribe.dns_config[0].dns_records[0].type == "A" && aws_service_discovery_service.transcribe.dns_config[0].dns_records[0].ttl == 5
    error_message = "…that answers every address, and forgets within 5 s those that are gone."
  }

  assert {
    condition     = [for setting in aws_ecs_cluster.this.setting : setting.value if setting.name == "containerInsights"] == ["enabled"]
    error_message = "Container Insights counts the tasks."
  }
}
