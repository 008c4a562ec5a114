import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts import metrics
from contracts.metrics import DEFAULT_STACK, NAMESPACE, Metric
from embedded.resources import PREFIX
from embedded.terraform import resources_of
from services.delivery import settings as delivery
from services.ingest import settings as ingest
from services.transcribe import settings as transcribe
from services.trigger import settings as trigger
from tools.terraform import strangers

TERRAFORM = Path(__file__).parents[3] / "infra" / "terraform"
SERVICES = TERRAFORM.parents[1] / "services"
OBSERVABILITY = TERRAFORM / "modules" / "observability"
SETTINGS = (trigger.Settings, ingest.Settings, transcribe.Settings, delivery.Settings)
CONSTANTS = {
    metric.name: constant for constant, metric in vars(metrics).items() if isinstance(metric, Metric)
}
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def variables() -> Iterator[tuple[str, str]]:
    for path in sorted(TERRAFORM.rglob("variables.tf")):
        if ".terraform" not in path.parts:
            for name, body in _VARIABLE.findall(path.read_text()):
                yield f"{path.parent.name}.{name}", body


@pytest.mark.parametrize(("name", "body"), [pytest.param(*found, id=found[0]) for found in variables()])
def test_every_variable_is_typed_described_and_validated(name: str, body: str) -> None:
    assert re.search(r"^  description = \"", body, re.MULTILINE), name
    assert re.search(r"^  type +=", body, re.MULTILINE), name
    is_flag = re.search(r"^  type +?= bool$", body, re.MULTILINE) is not None
    assert "nullable" in body if is_flag else "validation {" in body, name


def test_alarms_and_dashboard_use_metrics_that_their_services_emit() -> None:
    alarms = re.findall(r'metric = "(\w+)", service = "(\w+)"', (OBSERVABILITY / "main.tf").read_text())
    charts = re.findall(
        r'\["(trigger|ingest|transcribe|delivery)", "([A-Z]\w+)", "\w+"\]',
        (OBSERVABILITY / "dashboard.tf").read_text(),
    )
    assert alarms
    assert charts
    for service, name in {*charts, *((service, name) for name, service in alarms)}:
        sources = "".join(path.read_text() for path in (SERVICES / service).rglob("*.py"))
        assert re.search(rf"\b{CONSTANTS[name]}\b", sources), (service, name)


def test_scaling_follows_a_metric_that_services_emit() -> None:
    scaling = (TERRAFORM / "modules" / "task" / "scaling.tf").read_text()
    assert f'metric_name = "{metrics.SESSIONS_LIVE.name}"' in scaling


def test_private_networking_has_an_endpoint_for_every_service_that_is_called() -> None:
    called = {
        client.replace("kinesis-video-media", "kinesisvideo")  # the same names, and so the same endpoint
        for root in (SERVICES, SERVICES.parent / "aws")
        for path in root.rglob("*.py")
        for client in re.findall(r'create_client\(\s*"([\w-]+)"', path.read_text())
    }
    endpoints = (TERRAFORM / "modules" / "network" / "endpoints.tf").read_text()
    made = re.search(r"setunion\(\s*\[(.*?)\n    \],", endpoints, re.DOTALL)
    assert made
    interfaces = set(re.findall(r'"([\w.]+)"', made[1]))
    assert called == (interfaces - {"ecr.api", "ecr.dkr", "logs"}) | {"dynamodb"}  # and ECS's own for a task


@pytest.mark.parametrize("module", ["aws", "modules/secrets"])
def test_values_of_secrets_reach_neither_plan_nor_state(module: str) -> None:
    found = dict(_VARIABLE.findall((TERRAFORM / module / "variables.tf").read_text()))
    for name in ("deepgram_api_key", "link_secret", "signing_secrets"):
        assert re.search(r"^  ephemeral +?= true$", found[name], re.MULTILINE), name
        assert re.search(r"^  sensitive +?= true$", found[name], re.MULTILINE), name


def test_values_of_secrets_are_written_by_write_only_arguments() -> None:
    secrets = (TERRAFORM / "modules" / "secrets" / "main.tf").read_text()
    for name in ("deepgram_api_key", "link_secret", "signing_secrets"):
        assert re.search(rf"^  secret_string_wo +?= var\.{name}$", secrets, re.MULTILINE), name
    assert not re.search(r"^  secret_string +=", secrets, re.MULTILINE)


def test_a_name_without_the_prefix_is_another_stacks_too() -> None:
    plan = {
        "root_module": {
            "resources": [
                {
                    "address": "q",
                    "mode": "managed",
                    "type": "aws_sqs_queue",
                    "values": {"name": "calls-uk-q"},
                },
                {"address": "d", "mode": "data", "type": "aws_vpc", "values": {"name": "any"}},
            ],
            "child_modules": [
                {
                    "resources": [
                        {
                            "address": "s",
                            "mode": "managed",
                            "type": "aws_ecs_service",
                            "values": {"name": "x"},
                        },
                        {
                            "address": "t",
                            "mode": "managed",
                            "type": "aws_sqs_queue",
                            "values": {"name": "dlq"},
                        },
                        {
                            "address": "own",
                            "mode": "managed",
                            "type": "aws_cloudwatch_event_rule",
                            "values": {"name": "requests", "event_bus_name": "calls-uk"},
                        },
                        {
                            "address": "default",
                            "mode": "managed",
                            "type": "aws_cloudwatch_event_rule",
                            "values": {"name": "contacts", "event_bus_name": None},
                        },
                    ]
                }
            ],
        }
    }
    assert strangers(plan, "calls-uk") == ["t", "default"]


def test_alarms_look_in_the_namespace_that_services_write_to() -> None:
    assert f'namespace = "{NAMESPACE}"' in (OBSERVABILITY / "main.tf").read_text()
    assert f'namespace   = "{NAMESPACE}"' in (TERRAFORM / "modules" / "task" / "scaling.tf").read_text()


def test_the_default_prefix_is_that_of_the_embedded_system() -> None:
    for root in ("registry", "aws", "local"):
        assert f'default     = "{PREFIX}"' in (TERRAFORM / root / "variables.tf").read_text()


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__module__)
def test_terraform_names_the_stack_to_every_service(settings: type[BaseModel]) -> None:
    assert settings.model_fields["stack"].default == DEFAULT_STACK == PREFIX
    service = settings.__module__.split(".")[1]
    module = "trigger" if service == "trigger" else "task"
    assert re.search(r"\bSTACK += var.stack.prefix", (TERRAFORM / "modules" / module / "main.tf").read_text())


def test_ecs_asks_the_health_of_a_task_as_its_image_does() -> None:
    asked = '["python", "-m", "telemetry.health"]'
    for service in ("ingest", "transcribe", "delivery"):
        assert f"CMD {asked}" in (SERVICES / service / "Dockerfile").read_text()
    assert asked.replace("[", '["CMD", ') in (TERRAFORM / "modules" / "task" / "main.tf").read_text()


def test_what_the_local_root_puts_out_is_what_the_services_are_told() -> None:
    named = {
        "SESSION_REQUESTS_QUEUE_URL": "http://aws/requests",
        "SESSION_REQUESTS_DLQ_URL": "http://aws/requests-dlq",
        "TRANSCRIPTS_QUEUE_URL": "http://aws/transcripts.fifo",
        "TRANSCRIPTS_DLQ_URL": "http://aws/transcripts-dlq.fifo",
        "EVENT_BUS_NAME": "calls",
        "SESSIONS_TABLE": "calls-sessions",
    }
    stack = resources_of(
        {"environment": {"value": named}, "events_queue_url": {"value": "http://aws/events"}}
    )
    assert stack.environment == named
    assert stack.events_url == "http://aws/events"
