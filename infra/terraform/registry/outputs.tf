output "repositories" {
  description = "URL of each repository: where `make push` puts the images."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}
