# Every option at once: private networking, own key, signing, Spot, EC2, schedules, consumers.
prefix            = "calls-uk"
region            = "eu-west-2"
tags              = { team = "contact-centre" }
architecture      = "X86_64"
images            = { trigger = "111122223333.dkr.ecr.eu-west-2.amazonaws.com/calls-uk/trigger:0.1.0" }
image_tag         = "0.1.0"
deepgram_api      = "ws://deepgram.example.internal:8080/v1/listen"
deepgram_api_key  = "not-a-key-of-anybody"
link_secret       = "not-a-secret-0123456789-0123456789"
sign_callbacks    = true
signing_secrets   = "whsec_bm90LWEtc2VjcmV0LTAxMjM0NTY3ODk="
secret_versions   = { link_secret = 2 }
customer_key      = true
private           = true
vpc_cidr          = "10.9.0.0/20"
zone_count        = 3
deepgram_cidrs    = ["10.20.0.0/16"]
callback_cidrs    = ["10.21.0.0/16"]
retention_days    = 7
archive_days      = 30
contact_events    = false
consumer_accounts = ["444455556666"]
alarm_topic_arn   = "arn:aws:sns:eu-west-2:111122223333:on-call"

callback_allowed_networks = ["10.21.0.0/16"]
flow_log_bucket_arn       = "arn:aws:s3:::flow-logs-of-the-account"
connect_instance_id       = "11111111-2222-3333-4444-555555555555"
stream_prefix             = "contact-centre"
stream_key_arns           = ["arn:aws:kms:eu-west-2:111122223333:key/11111111-2222-3333-4444-555555555555"]
log_retention_days        = 90
container_insights        = "enhanced"

trigger = {
  memory               = 1024
  reserved_concurrency = 50
  settings             = { DEEPGRAM_DEFAULTS = "model=nova-3&smart_format=true" }
}

ec2 = {
  instance_type = "c7i.xlarge"
  max           = 4
}

services = {
  ingest = {
    cpu           = 2048
    memory        = 4096
    desired_count = 3
    max_count     = 20
    max_sessions  = 500
    capacity      = "EC2"
    schedules = {
      morning = { schedule = "cron(0 7 ? * MON-FRI *)", timezone = "Europe/London", min = 6, max = 20 }
      evening = { schedule = "cron(0 19 ? * MON-FRI *)", timezone = "Europe/London", min = 2, max = 20 }
    }
  }
  transcribe = {
    log_level = "DEBUG"
    settings  = { BUS_INTERIMS = "true" }
  }
  delivery = {
    capacity = "FARGATE_SPOT"
  }
}

consumers = {
  archive  = { target_arn = "arn:aws:firehose:eu-west-2:111122223333:deliverystream/transcripts" }
  quality  = { target_arn = "arn:aws:sqs:eu-west-2:111122223333:quality", detail_types = ["Session Ended"] }
  assist   = { target_arn = "arn:aws:lambda:eu-west-2:111122223333:function:assist", filter = "{\"speaker\":[\"customer\"]}" }
  partners = { target_arn = "arn:aws:events:eu-west-2:444455556666:event-bus/transcripts", grant = false }
}
