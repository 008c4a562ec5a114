"""Contact flows in Connect's flow language: reading and checking one; pure.

Source: Amazon Connect API reference, "Amazon Connect Flow language", as far as our flows go.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

VERSION = "2019-10-30"
MAX_IDENTIFIER = 50
TERMINAL = frozenset({"DisconnectParticipant", "EndFlowExecution"})
REQUIRED: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "UpdateFlowLoggingBehavior": (frozenset({"FlowLoggingBehavior"}), frozenset()),
    "MessageParticipant": (frozenset(), frozenset({"NoMatchingError"})),
    "UpdateContactMediaStreamingBehavior": (
        frozenset({"MediaStreamingState", "MediaStreamType", "Participants"}),
        frozenset({"NoMatchingError"}),
    ),
    "UpdateContactAttributes": (frozenset({"Attributes", "TargetContact"}), frozenset({"NoMatchingError"})),
    "InvokeLambdaFunction": (
        frozenset({"LambdaFunctionARN", "InvocationTimeLimitSeconds", "ResponseValidation"}),
        frozenset({"NoMatchingError"}),
    ),
    "Compare": (frozenset({"ComparisonValue"}), frozenset({"NoMatchingCondition"})),
    "Loop": (frozenset({"LoopCount"}), frozenset()),
    "GetParticipantInput": (
        frozenset({"StoreInput", "InputTimeLimitSeconds"}),
        frozenset({"NoMatchingError"}),
    ),
    "DisconnectParticipant": (frozenset(), frozenset()),
    "EndFlowExecution": (frozenset(), frozenset()),
}
"""By type of action: parameters and error branches that it must have."""

type Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Action:
    """One block."""

    identifier: str
    type: str
    parameters: Document
    next: str | None
    errors: Mapping[str, str]
    conditions: Sequence[tuple[str, str]]
    """Operand and the action that follows when it is equal."""

    @property
    def targets(self) -> Iterator[str]:
        """Every action that may follow."""
        yield from (target for target in (self.next, *self.errors.values()) if target is not None)
        yield from (target for _, target in self.conditions)


@dataclass(frozen=True, slots=True)
class Flow:
    """A contact flow."""

    start: str
    actions: Mapping[str, Action]


class MalformedFlow(ValueError):
    """Connect would not import this; the message says everything that is wrong with it."""


def read_flow(text: str) -> Flow:
    """The flow of a file.

    Raises:
        MalformedFlow: see there.
    """
    document = cast("Document", json.loads(text))
    actions = [_action(one) for one in cast("Sequence[Document]", document.get("Actions", ()))]
    flow = Flow(str(document.get("StartAction")), {action.identifier: action for action in actions})
    faults = [*_faults_of_document(document, flow, len(actions)), *_faults_of_actions(flow)]
    if faults:
        raise MalformedFlow("; ".join(faults))
    return flow


def _action(document: Document) -> Action:
    transitions = cast("Document", document.get("Transitions", {}))
    errors = cast("Sequence[Mapping[str, str]]", transitions.get("Errors", ()))
    conditions = cast("Sequence[Document]", transitions.get("Conditions", ()))
    return Action(
        identifier=str(document.get("Identifier")),
        type=str(document.get("Type")),
        parameters=cast("Document", document.get("Parameters", {})),
        next=cast("str | None", transitions.get("NextAction")),
        errors={error["ErrorType"]: error["NextAction"] for error in errors},
        conditions=[(_operand(one), str(one["NextAction"])) for one in conditions],
    )


def _operand(condition: Document) -> str:
    stated = cast("Document", condition["Condition"])
    operands = cast("Sequence[str]", stated["Operands"])
    if stated["Operator"] != "Equals" or len(operands) != 1:
        raise MalformedFlow(f"a condition is no simple Equals: {stated}")
    return operands[0]


def _faults_of_document(document: Document, flow: Flow, count: int) -> Iterator[str]:
    if document.get("Version") != VERSION:
        yield f"the version is not {VERSION}"
    if flow.start not in flow.actions:
        yield "StartAction names no action"
    if len(flow.actions) != count:
        yield "two actions have one identifier"
    metadata = cast("Document", document.get("Metadata", {}))
    places = cast("Mapping[str, Document]", metadata.get("ActionMetadata", {}))
    if "entryPointPosition" not in metadata:
        yield "the entry point has no position"
    for identifier in flow.actions.keys() ^ places.keys():
        yield f"{identifier}: an action without a place, or a place without an action"
    unreached = flow.actions.keys() - _reachable(flow)
    if unreached:
        yield f"no way leads to {', '.join(sorted(unreached))}"


def _faults_of_actions(flow: Flow) -> Iterator[str]:
    for action in flow.actions.values():
        name = action.identifier
        if not 0 < len(name) <= MAX_IDENTIFIER:
            yield f"{name}: an identifier has 1 to {MAX_IDENTIFIER} characters"
        if action.type not in REQUIRED:
            yield f"{name}: {action.type} is no type that is known here"
            continue
        parameters, errors = REQUIRED[action.type]
        yield from (f"{name}: no parameter {missing}" for missing in parameters - action.parameters.keys())
        yield from (f"{name}: no branch for {missing}" for missing in errors - action.errors.keys())
        yield from (
            f"{name}: leads to {target}, which is none"
            for target in action.targets
            if target not in flow.actions
        )
        if (action.type in TERMINAL) != (next(iter(action.targets), None) is None):
            yield f"{name}: {action.type} and its transitions do not go together"
        if action.type == "Loop" and {operand for operand, _ in action.conditions} != {
            "ContinueLooping",
            "DoneLooping",
        }:
            yield f"{name}: a loop has the two branches ContinueLooping and DoneLooping"
        if action.type == "MessageParticipant" and not {"Text", "SSML"} & action.parameters.keys():
            yield f"{name}: says nothing"


def _reachable(flow: Flow) -> set[str]:
    reached: set[str] = set()
    pending = [flow.start]
    while pending:
        identifier = pending.pop()
        if identifier not in reached and identifier in flow.actions:
            reached.add(identifier)
            pending += flow.actions[identifier].targets
    return reached
