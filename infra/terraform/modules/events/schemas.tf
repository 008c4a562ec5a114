# One schema per event, generated from the contracts by `make docs`.

locals {
  schemas = var.schemas ? { for file in fileset("${path.module}/schemas", "*.json") : trimsuffix(file, ".json") => file } : {}
}

resource "aws_schemas_registry" "this" {
  count = var.schemas ? 1 : 0

  name        = var.stack.prefix
  description = "Events of ${var.stack.prefix}"
}

resource "aws_schemas_schema" "this" {
  for_each = local.schemas

  name          = "${local.source}@${each.key}"
  registry_name = aws_schemas_registry.this[0].name
  type          = "JSONSchemaDraft4"
  description   = "Detail of the event ${each.key}, version 1"
  content       = file("${path.module}/schemas/${each.value}")
}
