"""The file's weights into somebody's Keras model: first a plan that says everything, then all of it or nothing."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blueprints.specs import Blueprint
from converter.errors import BadOverride, PlanIncomplete
from converter.match.alignment.evidence import Evidence
from converter.match.canonical import network_of_blueprint
from converter.match.identity import identity_variance
from converter.match.matching import Matching, match
from converter.match.network import Network
from converter.match.overrides import Leftover, Override
from converter.match.trace import KerasNetwork, keras_network
from converter.ops.forms import Node, Slot, Weight
from converter.ops.forms.layouts import SAME, Layout
from converter.tflite.decode import decode
from converter.tflite.model import Tensor

NEAREST = 3  # candidates that a message lists


@dataclass(frozen=True, slots=True)
class Assignment:
    """One Keras variable and what it gets.

    Attributes:
        path: The variable's path.
        variable: The variable.
        tensor: The file's constant; None where the value follows from there being none.
        layout: How its axes become Keras's.
        constant: The value, where there is no tensor.
        why: How the two were matched.
        note: What is not a plain copy.
    """

    path: str
    variable: Any
    tensor: Tensor | None
    layout: Layout
    constant: NDArray[np.float32] | float
    why: Evidence
    note: str = ""

    def value(self) -> NDArray[Any]:
        """The array for the variable, in Keras's axis order and the variable's own shape."""
        if self.tensor is None:
            return np.broadcast_to(np.float32(self.constant), tuple(self.variable.shape))
        return np.ascontiguousarray(self.layout.to_keras(decode(self.tensor))).reshape(tuple(self.variable.shape))


@dataclass(frozen=True)
class Plan:
    """Which variable gets what, and what is left over. Making one changes nothing.

    Attributes:
        matching: Which layer is which.
        assignments: One per variable that gets a value.
        unread: Tensors that no variable takes.
        unfed: Variables that no tensor feeds.
        starter: The file's layers without a partner, for a table of overrides.
        notes: What is left out without harm.
        has_gaps_on_purpose: Whether something is left out because the user said so.
    """

    blueprint: Blueprint
    candidate: KerasNetwork
    ours: Network
    matching: Matching
    assignments: tuple[Assignment, ...]
    unread: tuple[Leftover, ...]
    unfed: tuple[Leftover, ...]
    starter: tuple[Leftover, ...]
    notes: tuple[str, ...]
    has_gaps_on_purpose: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left over."""
        return not self.unread and not self.unfed

    def check(self) -> None:
        """Raise if anything is left over.

        Raises:
            PlanIncomplete: The message lists all of it, with shapes and nearest candidates.
        """
        if self.is_complete:
            return
        lines = []
        for what, leftovers in (
            ("tensors that nobody reads", self.unread),
            ("variables that nobody feeds", self.unfed),
        ):
            if leftovers:
                lines.append(f"{len(leftovers)} {what}:")
                lines += [f"  {leftover}" for leftover in leftovers]
        for layer, candidates in self.matching.ambiguous.items():
            lines.append(f"  {layer} might be any of: {', '.join(candidates)}")
        raise PlanIncomplete(
            "\n".join(["the plan has gaps, nothing was transferred", *lines]),
            hint="say which belongs to which in a table of overrides (`unlite transfer --write-overrides FILE` "
            "writes one to start from), or leave layers out on purpose with allow_unfed=['PATTERN']",
        )


def make_plan(
    blueprint: Blueprint, model: Any, overrides: Sequence[Override] = (), allow_unfed: Sequence[str] = ()
) -> Plan:
    """Say which weight of the file belongs to which variable of the model. Pure: the model is not touched.

    Args:
        blueprint: The file's.
        model: A built `keras.Model`.
        overrides: Pairs that names and graph do not give.
        allow_unfed: Patterns (`classificator_*`) of layers, variables or tensors that may be left over.

    Raises:
        BadOverride: A row is wrong; the message quotes it.
        UnsupportedModel: The model cannot be traced.
    """
    from converter.match.override_pairs import resolve

    candidate = keras_network(model)
    ours = network_of_blueprint(blueprint)
    given = resolve(overrides, ours, candidate.network, blueprint)
    matching = match(ours, candidate.network, given.nodes)
    planner = _Planner(blueprint, candidate, matching)
    planner.assign(given.weights)
    return planner.plan(ours, allow_unfed)


def transfer(plan: Plan) -> None:
    """Set the weights. All values are made and checked before the first variable changes.

    Raises:
        PlanIncomplete: Something is left over.
    """
    plan.check()
    values = [(assignment, assignment.value()) for assignment in plan.assignments]
    for assignment, value in values:
        assignment.variable.assign(value)


class _Planner:
    """Collects assignments, and what is left over."""

    def __init__(self, blueprint: Blueprint, candidate: KerasNetwork, matching: Matching) -> None:
        self._blueprint, self._candidate, self._matching = blueprint, candidate, matching
        self._tensors = blueprint.graph.tensors
        self._made: dict[Slot, Assignment] = {}
        self._unread: list[Leftover] = []
        self._notes: list[str] = []

    def assign(self, given: Mapping[Slot, Weight]) -> None:
        """Assign the weights of all matched layers; `given` are those that a row names itself."""
        for slot, weight in given.items():
            self._set(slot, self._tensors[weight.tensor], weight.layout, Evidence.OVERRIDE)
        spoken_for = {weight.tensor for weight in given.values()}
        self._behind = {m.values[0].ours: m.theirs for m in self._matching.matches if m.theirs and not m.ours}
        for pair in self._matching.matches:
            if pair.ours and pair.theirs and (pair.ours.weights or pair.theirs.weights):
                self._assign_pair(pair.ours, pair.theirs, pair.evidence, spoken_for)
            elif pair.ours:
                self._leave(pair.ours)
        for node in self._matching.open_ours:
            self._leave(node)

    def _leave(self, node: Node, *attributes: str) -> None:
        """Some weights of a node, or all, have no partner."""
        for slot in (node.weights[attribute] for attribute in attributes or node.weights):
            tensor = self._tensors[slot.holder.tensor]
            if not slot.holder.trainable:
                self._notes.append(f"{tensor.name} is no weight: what the model has in its place is compared")
                continue
            self._unread.append(Leftover(tensor.name, node.name, tensor.shape, slot.shape))

    def _assign_pair(self, ours: Node, theirs: Node, why: Evidence, spoken_for: set[int]) -> None:
        free = {name: slot for name, slot in theirs.weights.items() if slot not in self._made}
        for name, slot in ours.weights.items():
            tensor = self._tensors[slot.holder.tensor]
            target, note = self._target(name, slot, ours, free)
            if target is not None and target.shape == slot.shape:
                self._set(target, tensor, slot.holder.layout, why, note)
            elif tensor.index in spoken_for or self._has(theirs.weights.get(name), tensor):
                continue
            elif name == "bias" and target is None and not decode(tensor).any():
                self._notes.append(f"{tensor.name} is all zeros, and {theirs.name} has no bias: nothing to transfer")
            else:
                self._leave(ours, name)
        self._complete(ours, theirs, why)

    def _target(self, name: str, slot: Slot, ours: Node, free: Mapping[str, Slot]) -> tuple[Slot | None, str]:
        """The variable for a weight, and what is unusual about it."""
        if name in free:
            return free[name], ""
        if name == "bias" and "batch_norm/beta" in free:
            return free["batch_norm/beta"], "becomes the batch normalization's beta"
        # Somebody's own layer: alone, or behind the one that lacks a bias. What it computes is compared afterwards.
        behind = self._behind.get(ours.outputs[0])
        own = behind.weights.values() if name == "bias" and behind else free.values()
        fitting = [other for other in own if other.shape == slot.shape and other not in self._made]
        return (fitting[0], "the only weight of its shape there") if len(fitting) == 1 else (None, "")

    def _has(self, slot: Slot | None, tensor: Tensor) -> bool:
        """Whether a variable gets this tensor already, or an equal one: one layer that is called twice."""
        made = self._made.get(slot) if slot else None
        if made is None or made.tensor is None:
            return False
        return made.tensor.index == tensor.index or np.array_equal(decode(made.tensor), decode(tensor))

    def _complete(self, ours: Node, theirs: Node, why: Evidence) -> None:
        """What the file does not have: a bias is zero then, a batch normalization that was folded the identity."""
        constants: dict[str, Any] = {"batch_norm/gamma": 1.0, "batch_norm/beta": 0.0, "batch_norm/moving_mean": 0.0}
        if "epsilon" in theirs.config:
            (channels,) = theirs.weights["batch_norm/moving_variance"].shape
            constants["batch_norm/moving_variance"] = identity_variance(theirs.config["epsilon"], channels)
        if "bias" not in ours.weights:
            constants["bias"] = 0.0
        for name, slot in theirs.weights.items():
            if name in constants and slot not in self._made:
                note = "folded away in the file: identity" if "/" in name else "the file has no bias: zeros"
                self._made[slot] = Assignment(slot.holder.path, slot.holder, None, SAME, constants[name], why, note)

    def _set(self, slot: Slot, tensor: Tensor, layout: Layout, why: Evidence, note: str = "") -> None:
        self._made[slot] = Assignment(slot.holder.path, slot.holder, tensor, layout, 0.0, why, note)

    def plan(self, ours: Network, allow_unfed: Sequence[str]) -> Plan:
        """The plan; what `allow_unfed` names is a note, not a gap."""
        unread: list[Leftover] = []
        unfed: list[Leftover] = []
        read = {made.tensor.name for made in self._made.values() if made.tensor}
        used: set[str] = set()
        for leftover, gaps in (
            *((leftover, unread) for leftover in self._unread if leftover.name not in read),
            *((leftover, unfed) for leftover in self._unfed_variables()),
        ):
            fitting = [p for p in allow_unfed for name in (leftover.name, leftover.layer) if fnmatchcase(name, p)]
            used.update(fitting)
            if fitting:
                self._notes.append(f"left out as asked: {leftover.name} {leftover.shape}")
            else:
                gaps.append(leftover)
        idle = [pattern for pattern in allow_unfed if pattern not in used]
        if idle and not unread and not unfed:
            raise BadOverride(f"allow_unfed=[{idle[0]!r}] leaves nothing out", hint="is the name spelled right?")
        return Plan(
            blueprint=self._blueprint,
            candidate=self._candidate,
            ours=ours,
            matching=self._matching,
            assignments=tuple(self._made.values()),
            unread=tuple(replace(item, nearest=_nearest(item, unfed)) for item in unread),
            unfed=tuple(replace(item, nearest=_nearest(item, unread)) for item in unfed),
            starter=tuple(self._starter(unfed)),
            notes=tuple(dict.fromkeys(self._notes)),
            has_gaps_on_purpose=bool(used),
        )

    def _unfed_variables(self) -> Iterator[Leftover]:
        seen = {slot: slot.shape for node in self._candidate.network.all_nodes() for slot in node.weights.values()}
        for slot in self._candidate.slots:
            if slot not in self._made and "seed" not in slot.holder.name:
                path = slot.holder.path
                yield Leftover(path, path.rpartition("/")[0], slot.shape, seen.get(slot, slot.shape))

    def _starter(self, unfed: Sequence[Leftover]) -> Iterator[Leftover]:
        firsts = {leftover.layer: leftover for leftover in reversed(self._unread)}
        used: Counter[tuple[int, ...]] = Counter()
        for first in (firsts[layer] for layer in dict.fromkeys(leftover.layer for leftover in self._unread)):
            fitting = [item.name for item in unfed if item.keras_shape == first.keras_shape]
            place = used[first.keras_shape] % max(len(fitting), 1)  # so that no two rows begin with the same
            used[first.keras_shape] += 1
            yield replace(first, nearest=(*fitting[place:], *fitting[:place]))


def _nearest(item: Leftover, others: Sequence[Leftover]) -> tuple[str, ...]:
    """Of the other side's leftovers those of the same shape, then those of a similar name."""
    same = [other.name for other in others if other.keras_shape == item.keras_shape]
    similar = difflib.get_close_matches(item.name, [other.name for other in others], NEAREST)
    return tuple(dict.fromkeys([*same, *similar]))[:NEAREST]
