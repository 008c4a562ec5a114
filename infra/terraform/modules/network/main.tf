# Where the tasks run: the operator's VPC and subnets, or a VPC made here. With `private` nothing has a public
# address, and the AWS services that are used are reached by VPC endpoints.

locals {
  make_vpc   = var.vpc_id == null
  zones      = slice(data.aws_availability_zones.this.names, 0, min(var.zone_count, length(data.aws_availability_zones.this.names)))
  vpc_id     = local.make_vpc ? aws_vpc.this[0].id : var.vpc_id
  vpc_cidr   = local.make_vpc ? var.cidr : data.aws_vpc.existing[0].cidr_block
  subnet_ids = local.make_vpc ? [for zone in local.zones : aws_subnet.this[zone].id] : var.subnet_ids
  public_ip  = !var.private && (local.make_vpc || var.assign_public_ip)
  # A subnet of each zone, for the endpoints: one can be in one subnet of a zone.
  zone_of = (
    local.make_vpc
    ? { for zone in local.zones : zone => aws_subnet.this[zone].id }
    : { for zone, ids in local.existing_in : zone => ids[0] }
  )
  existing_in = { for subnet in data.aws_subnet.existing : subnet.availability_zone => subnet.id... }
}

data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394: zone_count takes the first of them; zones that AWS adds come after
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_vpc" "existing" {
  count = local.make_vpc ? 0 : 1

  id = var.vpc_id
}

data "aws_subnet" "existing" {
  for_each = local.make_vpc || !var.private ? [] : toset(var.subnet_ids)

  id = each.key
}

resource "aws_vpc" "this" {
  count = local.make_vpc ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.stack.prefix }
}

# The default group lets nothing through, whoever uses it by mistake.
resource "aws_default_security_group" "this" {
  count = local.make_vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "this" {
  for_each = local.make_vpc ? { for index, zone in local.zones : zone => index } : {}

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.stack.prefix}-${each.key}" }
}

resource "aws_route_table" "this" {
  count = local.make_vpc ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = var.stack.prefix }
}

resource "aws_route_table_association" "this" {
  for_each = aws_subnet.this

  subnet_id      = each.value.id
  route_table_id = aws_route_table.this[0].id
}

resource "aws_internet_gateway" "this" {
  count = local.make_vpc && !var.private ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = var.stack.prefix }
}

resource "aws_route" "internet" {
  count = local.make_vpc && !var.private ? 1 : 0

  route_table_id         = aws_route_table.this[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_flow_log" "this" {
  count = local.make_vpc && var.flow_log_bucket_arn != null ? 1 : 0

  vpc_id               = aws_vpc.this[0].id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = var.flow_log_bucket_arn
}
