# Scaling follows the sessions of a task or the messages that wait for one. A task that is taken away gets
# SIGTERM and hands its sessions to others; so scaling in costs a session a short pause, and goes slowly.

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  resource_id        = "service/${var.cluster.name}/${var.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.task.min
  max_capacity       = var.task.max

  depends_on = [aws_ecs_service.this]
}

resource "aws_appautoscaling_policy" "sessions" {
  count = var.service.scaling.sessions_per_task == null ? 0 : 1

  name               = "${local.full_name}-sessions-per-task"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.service.scaling.sessions_per_task
    scale_out_cooldown = 30
    scale_in_cooldown  = var.service.scaling.scale_in_cooldown_s

    # Every task reports how many it serves, so the average is the number per task.
    customized_metric_specification {
      namespace   = "ConnectTranscription"
      metric_name = "SessionsLive"
      statistic   = "Average"

      dimensions {
        name  = "stack"
        value = var.stack.prefix
      }

      dimensions {
        name  = "service"
        value = var.name
      }
    }
  }
}

resource "aws_appautoscaling_policy" "backlog" {
  count = var.service.scaling.backlog_per_task == null ? 0 : 1

  name               = "${local.full_name}-backlog-per-task"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.service.scaling.backlog_per_task
    scale_out_cooldown = 30
    scale_in_cooldown  = var.service.scaling.scale_in_cooldown_s

    customized_metric_specification {
      metrics {
        id          = "waiting"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesVisible"

            dimensions {
              name  = "QueueName"
              value = var.service.scaling.queue_name
            }
          }
        }
      }

      metrics {
        id          = "tasks"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "ECS/ContainerInsights"
            metric_name = "RunningTaskCount"

            dimensions {
              name  = "ClusterName"
              value = var.cluster.name
            }

            dimensions {
              name  = "ServiceName"
              value = var.name
            }
          }
        }
      }

      metrics {
        id          = "backlog"
        label       = "messages that wait, per task"
        expression  = "waiting / IF(tasks > 0, tasks, 1)"
        return_data = true
      }
    }
  }
}

resource "aws_appautoscaling_scheduled_action" "this" {
  for_each = var.task.schedules

  name               = "${local.full_name}-${each.key}"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  schedule           = each.value.schedule
  timezone           = each.value.timezone

  scalable_target_action {
    min_capacity = each.value.min
    max_capacity = each.value.max
  }
}
