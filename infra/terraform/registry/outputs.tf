output "repositories" {
  description = "URL of each repository: what `make push` takes its REGISTRY from."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}
