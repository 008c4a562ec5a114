# The ECS cluster, its capacity, and the names by which ingest finds transcribe.

resource "aws_ecs_cluster" "this" {
  name = var.stack.prefix

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = concat(["FARGATE", "FARGATE_SPOT"], aws_ecs_capacity_provider.ec2[*].name)
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.stack.prefix}.internal"
  description = "Processes of ${var.stack.prefix}"
  vpc         = var.vpc_id
}

# DNS answers at most eight healthy addresses, at random: ingest asks again and again.
resource "aws_service_discovery_service" "transcribe" {
  name        = "transcribe"
  description = "Every transcribe process"

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 5
    }
  }

  # ECS tells Cloud Map which tasks are healthy; 1 is the only value that AWS takes.
  health_check_custom_config {
    failure_threshold = 1
  }
}
