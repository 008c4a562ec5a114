# What an account may have already: a VPC behind a NAT gateway, secrets under a key of its own, images elsewhere.
prefix           = "calls-de"
region           = "eu-central-1"
vpc_id           = "vpc-0123456789abcdef0"
subnet_ids       = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
assign_public_ip = false
stream_prefix    = "contact-centre"

deepgram_api                = "wss://api.eu.deepgram.com/v1/listen"
deepgram_api_key_secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:deepgram-AbCdEf"
link_secret_arn             = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:link-AbCdEf"
sign_callbacks              = true
signing_secrets_arn         = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:signing-AbCdEf"
secret_key_arns             = ["arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"]

images = {
  ingest     = "registry.example/calls/ingest:0.1.0"
  transcribe = "registry.example/calls/transcribe:0.1.0"
  delivery   = "registry.example/calls/delivery@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

ec2 = {
  instance_type = "c7g.xlarge"
  min           = 2
  max           = 4
}

services = {
  ingest     = { capacity = "EC2" }
  transcribe = { capacity = "EC2" }
}
