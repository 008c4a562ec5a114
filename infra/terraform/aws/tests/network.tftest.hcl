# Where tasks run, and what they can reach.

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
}

run "public_by_default" {
  command = plan

  module {
    source = "../modules/network"
  }

  assert {
    condition     = output.public_ip && length(aws_vpc_endpoint.interface) == 0 && length(aws_internet_gateway.this) == 1
    error_message = "Tasks reach the internet by themselves."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.link.from_port == 8443
    error_message = "Links come in…"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.link.cidr_ipv4 == null
    error_message = "…from ingest's group, from no network."
  }
}

run "private" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    private        = true
    zone_count     = 3
    deepgram_port  = 8080
    deepgram_cidrs = ["10.20.0.0/16"]
  }

  assert {
    condition     = !output.public_ip && length(aws_internet_gateway.this) == 0 && length(aws_route.internet) == 0
    error_message = "No way to the internet."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "logs", "sqs", "events", "secretsmanager", "kinesisvideo"])
    error_message = "Every AWS service that is used has an interface endpoint…"
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.gateway)) == toset(["s3", "dynamodb"])
    error_message = "…or a gateway endpoint."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "KVS is reached by its private DNS name and by no other."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.this["transcribe-deepgram-10.20.0.0/16"].from_port == 8080
    error_message = "transcribe reaches the self-hosted Deepgram."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.this : rule.cidr_ipv4 != "0.0.0.0/0"])
    error_message = "Nothing reaches everywhere."
  }
}

run "a_region_of_fewer_zones" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    zone_count = 6
  }

  assert {
    condition     = keys(aws_subnet.this) == ["eu-west-2a", "eu-west-2b", "eu-west-2c"] && length(distinct([for subnet in aws_subnet.this : subnet.cidr_block])) == 3
    error_message = "Each zone that there is has a subnet."
  }
}

run "doors_of_the_endpoints" {
  command = apply

  module {
    source = "../modules/network"
  }

  variables {
    private      = true
    key_arn_used = true
    ec2          = true
  }

  assert {
    condition     = length(setsubtract(["kms", "ecs", "ecs-agent", "ecs-telemetry"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "A key of one's own and instances need further endpoints."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.endpoints)) == toset(["ingest", "transcribe", "delivery", "trigger", "ec2"])
    error_message = "Every service may use them, and the instances, which pull the images."
  }

  assert {
    condition     = alltrue([for service, rule in aws_vpc_security_group_ingress_rule.endpoints : rule.referenced_security_group_id == aws_security_group.service[service].id && rule.from_port == 443 && rule.to_port == 443])
    error_message = "…by TLS, and nobody else."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.security_group_ids == toset([aws_security_group.endpoints[0].id])])
    error_message = "Each endpoint is behind that group."
  }

  assert {
    condition     = alltrue([for key, endpoint in aws_vpc_endpoint.interface : jsondecode(endpoint.policy).Statement[0].Condition.StringEquals["aws:PrincipalAccount"] == "111122223333" if !startswith(key, "ecr.")])
    error_message = "Through them go this account's own requests."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.gateway : endpoint.route_table_ids == toset([aws_route_table.this[0].id])])
    error_message = "S3 and DynamoDB are on the way of the subnets."
  }

  assert {
    condition     = alltrue([for name in ["ingest", "transcribe", "delivery", "trigger", "ec2"] : contains(keys(aws_vpc_security_group_egress_rule.this), "${name}-endpoints") && contains(keys(aws_vpc_security_group_egress_rule.this), "${name}-dynamodb") && contains(keys(aws_vpc_security_group_egress_rule.this), "${name}-s3")])
    error_message = "Every service finds AWS."
  }
}

run "private_in_an_existing_vpc" {
  command = plan

  module {
    source = "../modules/network"
  }

  override_data {
    target = data.aws_subnet.existing
    values = { availability_zone = "eu-west-2b" }
  }

  variables {
    private         = true
    vpc_id          = "vpc-0123456789abcdef0"
    subnet_ids      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    route_table_ids = ["rtb-0123456789abcdef0"]
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : length(endpoint.subnet_ids) == 1 && endpoint.vpc_id == var.vpc_id])
    error_message = "Two subnets of one zone have one endpoint."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.gateway : tolist(endpoint.route_table_ids) == tolist(["rtb-0123456789abcdef0"])])
    error_message = "Gateway endpoints are on the ways that were named."
  }

  assert {
    condition     = !output.public_ip && length(aws_vpc.this) == 0
    error_message = "The VPC is used as it is, without public addresses."
  }
}

run "endpoints_that_are_there_already" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    private        = true
    make_endpoints = false
    vpc_id         = "vpc-0123456789abcdef0"
    subnet_ids     = ["subnet-0123456789abcdef0"]
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) + length(aws_vpc_endpoint.gateway) == 0
    error_message = "None is made twice."
  }

  expect_failures = [check.kinesis_video_endpoint]
}

run "endpoints_only_in_zones_that_have_them" {
  command = apply

  module {
    source = "../modules/network"
  }

  variables {
    private    = true
    zone_count = 3
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface["kinesisvideo"].subnet_ids) == 2
    error_message = "eu-west-2a has none."
  }
}

run "an_existing_vpc" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    vpc_id           = "vpc-0123456789abcdef0"
    subnet_ids       = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    assign_public_ip = false
  }

  assert {
    condition     = output.subnet_ids == tolist(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]) && !output.public_ip && length(aws_vpc.this) == 0
    error_message = "It is used as it is."
  }
}

run "private_in_an_existing_vpc_needs_its_route_tables" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    private    = true
    vpc_id     = "vpc-0123456789abcdef0"
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.route_table_ids, check.kinesis_video_endpoint]
}
