"""One run of a contact flow: which block comes next, and what it asks of the outside; pure."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from emulators.connect.event import Answer
from emulators.connect.flow import Action, Document, Flow, MalformedFlow

MAX_STEPS = 2_000
"""Blocks of one run; Connect ends contacts that go round for ever, too."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke the function of a Lambda block; send its `Answer` back."""

    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stream:
    """Media streaming of these directions, `From` and `To`, begins (or, with none, ends)."""

    directions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """The caller hears this."""

    text: str


@dataclass(frozen=True, slots=True)
class Listen:
    """The caller is asked for digits; send back whether any came."""

    text: str
    limit_s: float


type Step = Invoke | Stream | Said | Listen
type Reply = Answer | bool | None
"""To `Invoke` an answer, to `Listen` whether digits came, to the others nothing."""


@dataclass(slots=True)
class FlowRun:
    """One run of a flow for a contact; `attributes` are the contact's, and outlive the run."""

    flow: Flow
    attributes: dict[str, str]
    path: list[str] = field(default_factory=list[str])
    """The blocks that were entered, in order."""
    external: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the last Lambda block got, `$.External`."""
    _loops: dict[str, int] = field(default_factory=dict[str, int])

    def steps(self) -> Generator[Step, Reply]:
        """Yields what is to be done outside; send each reply.

        Raises:
            MalformedFlow: it goes round for ever.
        """
        at: str | None = self.flow.start
        while at is not None:
            if len(self.path) >= MAX_STEPS:
                raise MalformedFlow(f"the flow took more than {MAX_STEPS} blocks")
            self.path.append(at)
            at = yield from self._enter(self.flow.actions[at])

    def _enter(self, action: Action) -> Generator[Step, Reply, str | None]:
        parameters = action.parameters
        match action.type:
            case "MessageParticipant":
                yield Said(self._resolved(str(parameters.get("Text", parameters.get("SSML")))))
            case "UpdateContactMediaStreamingBehavior":
                yield Stream(_directions(parameters))
            case "UpdateContactAttributes":
                chosen = cast("Mapping[str, str]", parameters["Attributes"])
                self.attributes.update({name: self._resolved(value) for name, value in chosen.items()})
            case "InvokeLambdaFunction":
                return (yield from self._invoke(action))
            case "GetParticipantInput":
                limit_s = float(str(parameters["InputTimeLimitSeconds"]))
                came = yield Listen(self._resolved(str(parameters.get("Text", ""))), limit_s)
                return action.next if came else action.errors["NoMatchingError"]
            case "Compare":
                return self._branch(action, self._resolved(str(parameters["ComparisonValue"])))
            case "Loop":
                return self._loop(action)
            case _:
                pass
        return action.next

    def _invoke(self, action: Action) -> Generator[Step, Reply, str | None]:
        asked = cast("Mapping[str, str]", action.parameters.get("LambdaInvocationAttributes", {}))
        answer = yield Invoke({name: self._resolved(value) for name, value in asked.items()})
        if not isinstance(answer, Answer) or answer.branch == "error":
            self.external = {}
            return action.errors["NoMatchingError"]
        self.external = answer.external
        return action.next

    def _branch(self, action: Action, value: str) -> str | None:
        for operand, target in action.conditions:
            if operand == value:
                return target
        return action.errors["NoMatchingCondition"]

    def _loop(self, action: Action) -> str | None:
        """`LoopCount` times round, then done; entered again, it counts from the beginning."""
        done = self._loops.get(action.identifier, 0)
        if done < int(str(action.parameters["LoopCount"])):
            self._loops[action.identifier] = done + 1
            return dict(action.conditions)["ContinueLooping"]
        del self._loops[action.identifier]
        return dict(action.conditions)["DoneLooping"]

    def _resolved(self, text: str) -> str:
        """With `$.External.x` and `$.Attributes.x` replaced; what is not there is empty."""
        words = text.split(" ")
        return " ".join(self._word(word) for word in words)

    def _word(self, word: str) -> str:
        for prefix, values in (("$.External.", self.external), ("$.Attributes.", self.attributes)):
            if word.startswith(prefix):
                name = word.removeprefix(prefix)
                bare = name.rstrip(".,;:")
                return values.get(bare, "") + name[len(bare) :]
        return word


def _directions(parameters: Document) -> tuple[str, ...]:
    if parameters["MediaStreamingState"] != "Enabled":
        return ()
    [participant] = cast("Sequence[Mapping[str, Sequence[str]]]", parameters["Participants"])
    return tuple(participant["MediaDirections"])
