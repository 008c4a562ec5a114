output "cluster" {
  description = "ARN and name of the cluster."
  value = {
    arn  = aws_ecs_cluster.this.arn
    name = var.stack.prefix
  }

  # A service can name a capacity provider only once the cluster has it.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "transcribe" {
  description = "How ingest finds transcribe, and where its processes register."
  value = {
    host         = "transcribe.${var.stack.prefix}.internal"
    registry_arn = aws_service_discovery_service.transcribe.arn
  }
}
