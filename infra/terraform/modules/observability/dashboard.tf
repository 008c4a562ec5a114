locals {
  # title => list of [service, metric, statistic]
  charts = [
    { title = "Sessions per task", series = [["ingest", "SessionsLive", "Average"], ["ingest", "SessionsLive", "Maximum"], ["transcribe", "SessionsLive", "Average"], ["transcribe", "SessionsLive", "Maximum"]] },
    { title = "Sessions per minute", series = [["trigger", "SessionsRequested", "Sum"], ["transcribe", "SessionsEnded", "Sum"], ["transcribe", "SessionsFailed", "Sum"], ["trigger", "RequestsRefused", "Sum"]] },
    { title = "Lag, p50 and p99 (ms)", series = [["ingest", "IngestLag", "p50"], ["ingest", "IngestLag", "p99"], ["transcribe", "AnnounceLag", "p99"], ["delivery", "DeliveryLag", "p50"], ["delivery", "DeliveryLag", "p99"]] },
    { title = "First audio sent to Deepgram (ms)", series = [["transcribe", "FirstAudioSent", "p50"], ["transcribe", "FirstAudioSent", "p99"]] },
    { title = "Deepgram", series = [["transcribe", "DeepgramReconnects", "Sum"], ["transcribe", "DeepgramThrottled", "Sum"]] },
    { title = "Callbacks", series = [["delivery", "Delivered", "Sum"], ["delivery", "DeliveryAttemptsFailed", "Sum"], ["delivery", "DeliveryGivenUp", "Sum"], ["delivery", "EndpointsDisabled", "Sum"], ["delivery", "SessionsParked", "Sum"]] },
    { title = "Media", series = [["ingest", "MediaReopened", "Sum"], ["ingest", "MalformedFragments", "Sum"], ["ingest", "OneSidedAudio", "Sum"]] },
    { title = "Log appends, p99 (ms)", series = [["transcribe", "LogAppend", "p99"], ["transcribe", "AppendsFailed", "Sum"], ["transcribe", "StaleWriter", "Sum"], ["transcribe", "OutputDropped", "Sum"]] },
  ]
  service_widgets = [
    for chart in local.charts : {
      title   = chart.title
      metrics = [for line in chart.series : [local.namespace, line[1], "stack", var.stack.prefix, "service", line[0], { stat = line[2], label = "${line[0]} ${line[1]} ${line[2]}" }]]
    }
  ]
  queue_widgets = [
    {
      title   = "Age of the oldest message (s)"
      metrics = [for key in ["session-requests", "transcripts"] : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queues[key].name, { stat = "Maximum", label = key }]]
    },
    {
      title   = "Dead letters"
      metrics = [for key, name in local.dead_letter_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { stat = "Maximum", label = key }]]
    },
    {
      title   = "Tasks"
      metrics = [for service in ["ingest", "transcribe", "delivery"] : ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.cluster_name, "ServiceName", service, { stat = "Average", label = service }]]
    },
    {
      title   = "CPU of the tasks (%)"
      metrics = [for service in ["ingest", "transcribe", "delivery"] : ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", service, { stat = "Average", label = service }]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.stack.prefix

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in [for chart in concat(local.service_widgets, local.queue_widgets) : jsonencode(chart)] : {
        type   = "metric"
        x      = (index % 2) * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = jsondecode(widget).title
          metrics = jsondecode(widget).metrics
          region  = var.stack.region
          period  = 60
          view    = "timeSeries"
        }
      }
    ]
  })
}
