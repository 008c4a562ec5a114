# An account, as far as data sources tell of it. Tests need no credentials.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "111122223333"
  }
}

mock_data "aws_partition" {
  defaults = {
    partition  = "aws"
    dns_suffix = "amazonaws.com"
  }
}

mock_data "aws_availability_zones" {
  defaults = {
    names = ["eu-west-2a", "eu-west-2b", "eu-west-2c"]
  }
}

# No endpoint in eu-west-2a, as Kinesis Video Streams has none in some zones.
mock_data "aws_vpc_endpoint_service" {
  defaults = {
    availability_zones = ["eu-west-2b", "eu-west-2c"]
  }
}

mock_data "aws_vpc" {
  defaults = {
    cidr_block = "10.1.0.0/16"
  }
}
