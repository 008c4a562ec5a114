# One group per service, each with what it needs and nothing else.

locals {
  anywhere = "0.0.0.0/0"
  # Instances pull images, read secrets and write logs for their tasks, which have groups of their own.
  services = concat(["ingest", "transcribe", "delivery", "trigger"], var.ec2 ? ["ec2"] : [])

  # Where AWS's own APIs are: everywhere, or behind the endpoints of this VPC.
  api_rules = merge([
    for service in local.services : merge(
      var.private
      ? {
        "${service}-endpoints" = { service = service, cidr = local.vpc_cidr, port = 443, list = null }
        "${service}-dynamodb"  = { service = service, cidr = null, port = 443, list = "dynamodb" }
        "${service}-s3"        = { service = service, cidr = null, port = 443, list = "s3" }
      }
      : { "${service}-https" = { service = service, cidr = local.anywhere, port = 443, list = null } },
    )
  ]...)
  deepgram_rules = {
    for cidr in var.private ? (length(var.deepgram_cidrs) > 0 ? var.deepgram_cidrs : [local.vpc_cidr]) : [local.anywhere] :
    "transcribe-deepgram-${cidr}" => { service = "transcribe", cidr = cidr, port = var.deepgram_port, list = null }
    if !(var.deepgram_port == 443 && contains([local.anywhere, local.vpc_cidr], cidr))
  }
  # Callbacks may listen on any port.
  callback_rules = {
    for cidr in length(var.callback_cidrs) > 0 ? var.callback_cidrs : [var.private ? local.vpc_cidr : local.anywhere] :
    "delivery-callbacks-${cidr}" => { service = "delivery", cidr = cidr, port = null, list = null }
  }
}

resource "aws_security_group" "service" {
  #checkov:skip=CKV2_AWS_5: attached to the tasks and the function, in other modules
  for_each = toset(local.services)

  name        = "${var.stack.prefix}-${each.key}"
  description = "${each.key} of ${var.stack.prefix}"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.stack.prefix}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "link" {
  security_group_id            = aws_security_group.service["transcribe"].id
  description                  = "Links from ingest"
  referenced_security_group_id = aws_security_group.service["ingest"].id
  ip_protocol                  = "tcp"
  from_port                    = var.link_port
  to_port                      = var.link_port
}

resource "aws_vpc_security_group_egress_rule" "link" {
  security_group_id            = aws_security_group.service["ingest"].id
  description                  = "Links to transcribe"
  referenced_security_group_id = aws_security_group.service["transcribe"].id
  ip_protocol                  = "tcp"
  from_port                    = var.link_port
  to_port                      = var.link_port
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = merge(local.api_rules, local.deepgram_rules, local.callback_rules)

  security_group_id = aws_security_group.service[each.value.service].id
  description       = each.key
  cidr_ipv4         = each.value.cidr
  prefix_list_id    = each.value.list == null ? null : data.aws_ec2_managed_prefix_list.gateway[each.value.list].id
  ip_protocol       = "tcp"
  from_port         = each.value.port == null ? 1 : each.value.port
  to_port           = each.value.port == null ? 65535 : each.value.port
}

resource "aws_security_group" "endpoints" {
  count = var.private ? 1 : 0

  name        = "${var.stack.prefix}-endpoints"
  description = "VPC endpoints of ${var.stack.prefix}"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.stack.prefix}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = var.private ? toset(local.services) : []

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "From ${each.key}"
  referenced_security_group_id = aws_security_group.service[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
