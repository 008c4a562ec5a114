output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "Its subnets."
  value       = local.subnet_ids
}

output "public_ip" {
  description = "Whether tasks get a public address."
  value       = local.public_ip
}

output "security_group_ids" {
  description = "Security group of each service."
  value       = { for service, group in aws_security_group.service : service => group.id }
}
