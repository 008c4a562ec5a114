output "environment" {
  description = "The services' settings that name what was made."
  value = {
    SESSION_REQUESTS_QUEUE_URL = module.events.queues["session-requests"].url
    SESSION_REQUESTS_DLQ_URL   = module.events.queues["session-requests-dlq"].url
    TRANSCRIPTS_QUEUE_URL      = module.events.queues["transcripts"].url
    TRANSCRIPTS_DLQ_URL        = module.events.queues["transcripts-dlq"].url
    EVENT_BUS_NAME             = module.events.bus.name
    SESSIONS_TABLE             = module.sessions.name
  }
}

output "events_queue_url" {
  description = "URL of the queue that receives every event."
  value       = aws_sqs_queue.events.url
}
