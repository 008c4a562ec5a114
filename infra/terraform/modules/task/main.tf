# One service on ECS: its task, its roles, its log, and how it is deployed.

locals {
  full_name  = "${var.stack.prefix}-${var.name}"
  log_group  = "/${var.stack.prefix}/${var.name}"
  region_arn = "${var.stack.region}:${var.stack.account_id}"
  log_arn    = "arn:${var.stack.partition}:logs:${local.region_arn}:log-group:${local.log_group}"
  # What every service is told beside; the stack is the metrics' dimension that tells several apart.
  environment = merge(var.task.settings, var.service.environment, {
    STACK              = var.stack.prefix
    LOG_LEVEL          = var.task.log_level
    AWS_DEFAULT_REGION = var.stack.region
  })
  # An image in this account's registry: repository name, for the right to pull it.
  repository = try(regex("^${var.stack.account_id}\\.dkr\\.ecr\\.${var.stack.region}\\.[a-z0-9.]+/([^:@]+)", var.task.image)[0], null)
  assume_ecs = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.stack.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${var.stack.partition}:ecs:${local.region_arn}:*" }
        }
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: how long logs are kept is the operator's choice; a month by default
  name              = local.log_group
  retention_in_days = var.task.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.full_name
  network_mode             = "awsvpc"
  requires_compatibilities = [var.task.on_ec2 ? "EC2" : "FARGATE"]
  cpu                      = var.task.cpu
  memory                   = var.task.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.task.architecture
  }

  container_definitions = jsonencode([
    {
      name                   = var.name
      image                  = var.task.image
      essential              = true
      user                   = "10001"
      readonlyRootFilesystem = true
      # ECS sends SIGTERM and waits so long; Fargate's longest is 120 s.
      stopTimeout     = var.task.stop_timeout_s
      linuxParameters = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
      portMappings    = var.service.port == null ? [] : [{ containerPort = var.service.port, hostPort = var.service.port, protocol = "tcp" }]
      environment     = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
      secrets         = [for name in sort(keys(var.service.secrets)) : { name = name, valueFrom = var.service.secrets[name] }]
      # Whether it lives: GET /live, from within. One that only cannot reach AWS or Deepgram is left to go on.
      healthCheck = {
        command     = ["CMD", "python", "-m", "telemetry.health"]
        interval    = 15
        timeout     = 5
        retries     = 3
        startPeriod = 30
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = local.log_group
          awslogs-region        = var.stack.region
          awslogs-stream-prefix = var.name
          # A slow log must not hold up a call.
          mode            = "non-blocking"
          max-buffer-size = "8m"
        }
      }
      mountPoints    = []
      volumesFrom    = []
      systemControls = []
      cpu            = 0
    },
  ])
}

resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster.arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.task.min
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  force_new_deployment               = true # without it no change of capacity is taken
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"

  # New tasks that do not become healthy end the deployment, and the old ones stay.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "capacity_provider_strategy" {
    for_each = var.task.capacity

    content {
      capacity_provider = capacity_provider_strategy.value.provider
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  network_configuration {
    subnets          = var.network.subnet_ids
    security_groups  = [var.network.security_group_id]
    assign_public_ip = var.network.public_ip && !var.task.on_ec2 # ECS refuses one on instances
  }

  dynamic "service_registries" {
    for_each = var.service.registries

    content {
      registry_arn = service_registries.value
    }
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling's
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]
}
