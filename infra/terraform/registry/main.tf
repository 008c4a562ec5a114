# The repositories of the images: applied before the images are pushed, and those before the stack is applied.

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ stack = var.prefix }, var.tags)
  }
}

locals {
  names = toset(["trigger", "ingest", "transcribe", "delivery"])
}

resource "aws_ecr_repository" "this" {
  for_each = local.names

  name                 = "${var.prefix}/${each.key}"
  image_tag_mutability = "IMMUTABLE" # a tag that runs never becomes something else

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.key_arn == null ? "AES256" : "KMS"
    kms_key         = var.key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.names

  repository = aws_ecr_repository.this[each.key].name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "keep the newest ${var.images_kept}"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
        action       = { type = "expire" }
      },
    ]
  })
}
