# Optional: instances of the account's own in place of Fargate, for the services that ask for them.

resource "aws_ecs_capacity_provider" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name = "${var.stack.prefix}-ec2"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.ec2[0].arn
    managed_termination_protection = "ENABLED"
    managed_draining               = "ENABLED"

    managed_scaling {
      status          = "ENABLED"
      target_capacity = 100
    }
  }
}

resource "aws_autoscaling_group" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name                  = "${var.stack.prefix}-ec2"
  min_size              = var.ec2.min
  max_size              = var.ec2.max
  vpc_zone_identifier   = var.subnet_ids
  protect_from_scale_in = true

  launch_template {
    id      = aws_launch_template.ec2[0].id
    version = aws_launch_template.ec2[0].latest_version
  }

  instance_refresh {
    strategy = "Rolling"
  }

  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  tag {
    key                 = "Name"
    value               = "${var.stack.prefix}-ec2"
    propagate_at_launch = true
  }
}

resource "aws_launch_template" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name          = "${var.stack.prefix}-ec2"
  instance_type = var.ec2.instance_type
  image_id      = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/${var.architecture == "ARM64" ? "arm64/" : ""}recommended/image_id"
  user_data = base64encode(join("\n", [
    "#!/bin/bash",
    "echo ECS_CLUSTER=${var.stack.prefix} >> /etc/ecs/ecs.config",
    "echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config",
  ]))

  vpc_security_group_ids = var.security_group_ids

  iam_instance_profile {
    arn = aws_iam_instance_profile.ec2[0].arn
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type = "gp3"
      encrypted   = true
    }
  }
}

resource "aws_iam_role" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name        = "${var.stack.prefix}-ec2"
  description = "ECS instances of ${var.stack.prefix}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy_attachment" "ec2" {
  count = var.ec2 == null ? 0 : 1

  role       = aws_iam_role.ec2[0].name
  policy_arn = "arn:${var.stack.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name = "${var.stack.prefix}-ec2"
  role = aws_iam_role.ec2[0].name
}
