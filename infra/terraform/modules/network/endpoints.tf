# Interface endpoints cost by the hour and zone; S3 and DynamoDB have gateway endpoints, which cost nothing.

locals {
  interface_services = var.private ? setunion(
    [
      "ecr.api", "ecr.dkr", # images; their layers come from S3
      "logs",               # logs, and metrics in them
      "sqs", "events", "secretsmanager",
      "kinesisvideo",
    ],
    var.key_arn_used ? ["kms"] : [],
    var.ec2 ? ["ecs", "ecs-agent", "ecs-telemetry"] : [],
  ) : []

  # The data source knows in which zones a service has endpoints; a subnet elsewhere would be refused. A task
  # in such a zone uses the endpoint of another one.
  endpoint_subnets = {
    for service in local.interface_services : service => [
      for zone, subnet_id in local.zone_of : subnet_id
      if contains(data.aws_vpc_endpoint_service.interface[service].availability_zones, zone)
    ]
  }
}

data "aws_vpc_endpoint_service" "interface" {
  for_each = local.interface_services

  service      = each.key
  service_type = "Interface"
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.make_endpoints ? local.interface_services : []

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${var.stack.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.endpoint_subnets[each.key]
  security_group_ids  = [aws_security_group.endpoints[0].id]

  # Through these doors only this account's own principals, and images' and endpoints' AWS-owned parts.
  policy = each.key == "ecr.dkr" || each.key == "ecr.api" ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = "*"
        Action    = "*"
        Resource  = "*"
        Condition = { StringEquals = { "aws:PrincipalAccount" = var.stack.account_id } }
      },
    ]
  })

  tags = { Name = "${var.stack.prefix}-${each.key}" }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = var.private && var.make_endpoints ? toset(["s3", "dynamodb"]) : []

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${var.stack.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.make_vpc ? [aws_route_table.this[0].id] : var.route_table_ids

  tags = { Name = "${var.stack.prefix}-${each.key}" }
}

data "aws_ec2_managed_prefix_list" "gateway" {
  for_each = var.private ? toset(["s3", "dynamodb"]) : []

  name = "com.amazonaws.${var.stack.region}.${each.key}"
}

check "kinesis_video_endpoint" {
  assert {
    condition     = !var.private || length(lookup(local.endpoint_subnets, "kinesisvideo", [])) > 0
    error_message = "Kinesis Video Streams has no endpoint in any of these subnets' zones: choose other zones (aws ec2 describe-vpc-endpoint-services names them)."
  }
}
