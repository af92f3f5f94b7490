"""Keras weights back into the file that they came from: the same operators in the same order, names and metadata.

What has not changed comes back bit for bit. Where a layer's place in the file allows it, only the bytes of its
weights are overwritten; the file is taken apart only for sparse weights, which come back dense, for constants that
several layers shared and no longer do, for another storage type, and for layers that the file does not have.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint
from converter.detectors.labels import labels_of
from converter.errors import CannotExport
from converter.match.audit import Finding, audit
from converter.match.canonical import network_of_blueprint
from converter.match.differences import settings
from converter.match.matching import match
from converter.match.trace import KerasNetwork, keras_network
from converter.ops.forms import UnknownLayer
from converter.tflite.model import Model
from converter.write.comparison import Comparison
from converter.write.labels import with_labels
from converter.write.placed import FLOATS, Placed, StorageType, place, placed_of, restored
from converter.write.splice import Splicing


def write(
    original: Model | None, model: Any, dtype: StorageType | None = None, *, allow_changes: bool = False
) -> bytes:
    """Write a Keras model, and its labels, as `.tflite`: see `Writer`, in one call."""
    return with_labels(Writer(original, model, allow_changes=allow_changes).write(dtype), labels_of(model))


class Writer:
    """Writes a Keras model into the file that it was made from.

    A model with another head is written as well, as long as one output is still the original's: what has changed
    becomes new operators. Changes that reach every output are as likely a mistake, and have to be allowed.

    Args:
        original: The file, as read; None for a model that comes from none.
        model: A `keras.Model`: converted, or filled by `converter.match.transfer`, then changed and trained.
        allow_changes: Whether the model may differ in what all outputs depend on.

    Attributes:
        changes: Where the model differs from the file, one sentence each.

    Raises:
        CannotExport: The model is another one; the message says which layer.
        UnknownLayer: A layer's place in the graph is unknown.
    """

    def __init__(self, original: Model | None, model: Any, *, allow_changes: bool = False) -> None:
        candidate = keras_network(model)
        _check_types(candidate)
        if candidate.network.loose:
            raise UnknownLayer(f"{candidate.network.loose[0].name}: its place in the graph is unknown")
        self._network = candidate.network
        self._original, self._comparison = original, None
        self.changes: tuple[str, ...] = ()
        if original is None:
            return
        plan = blueprint(original.graph)
        ours = network_of_blueprint(plan)
        matching = match(ours, self._network)
        findings = audit(ours, self._network, matching)
        self._comparison = Comparison(plan, ours, self._network, matching, findings)
        self.changes = tuple(_changes(self._comparison, findings))
        if findings:
            self._check(self._comparison, allow_changes=allow_changes)

    def _check(self, comparison: Comparison, *, allow_changes: bool) -> None:
        """Refuse a model that is not the original's."""
        if not allow_changes and not comparison.untouched_outputs():
            more = f" (and {len(self.changes) - 1} more differences)" if len(self.changes) > 1 else ""
            raise CannotExport(
                f"the model is not the original's: {self.changes[0]}{more}",
                hint="`unlite parity ORIGINAL MODEL` shows all of them; allow_changes=True writes the model as it is",
            )
        for ends in comparison.matching.outputs:
            if ends.theirs is None or ends.theirs.place != ends.ours.place:
                raise CannotExport(f"the model has {ends.ours.name} in another place among its outputs, or not at all")

    @property
    def is_float32(self) -> bool:
        """Whether every weight is stored as float32 unless another type is asked for."""
        weights = self._comparison.plan.weights() if self._comparison else ()
        return all(tensor.storage and tensor.storage.dtype == "FLOAT32" for _, _, tensor, _ in weights)

    def write(self, dtype: StorageType | None = None) -> bytes:
        """The new file.

        Args:
            dtype: How weights are stored; default: each as the original has it, new ones as most of the others.

        Raises:
            CannotExport: A weight has no place in the file; the message says which layer.
            UnknownLayer: A new layer is nothing that could be written.
        """
        if self._original is None or self._comparison is None:
            splicing = Splicing(None, FLOATS[(dtype or "float32").upper()])
            splicing.write_all(self._network)
            return splicing.pack()
        placed = self.placed()
        if not self.changes:
            return place(self._original, placed, dtype)
        splicing = Splicing(self._original.data, FLOATS[(dtype or _prevailing(self._comparison.plan)).upper()])
        splicing.splice(self._comparison)
        return restored(splicing, placed, dtype)

    def placed(self) -> list[Placed]:
        """Every weight of the model that has a place in the file."""
        if self._comparison is None:
            return []
        plan = self._comparison.plan
        return [
            each
            for pair in self._comparison.kept
            if pair.ours.weights or pair.theirs.weights
            for each in placed_of(pair, plan)
        ]


def _check_types(candidate: KerasNetwork) -> None:
    import keras

    for tensor in keras.tree.flatten(candidate.arguments):
        if tensor.dtype != "float32":
            raise CannotExport(f"input {tensor.name} is {tensor.dtype}; only float32 models can be written")
    for call in candidate.calls:
        if getattr(call.layer, "compute_dtype", "float32") != "float32":
            raise CannotExport(
                f"{call.name} computes in {call.layer.compute_dtype}; only float32 models can be written",
                hint="build the model with the dtype policy float32, and copy the weights",
            )


def _changes(comparison: Comparison, findings: Sequence[Finding]) -> Iterable[str]:
    """The findings, with one for both where something stands for what the audit found no partner for."""
    replaced = set(comparison.partners.values())
    for finding in findings:
        partner = comparison.partners.get(finding.theirs) if finding.theirs else None
        if partner and finding.ours is None and finding.theirs:
            yield f"{finding.theirs.name}: {'; '.join(settings(partner, finding.theirs)) or 'it reads something else'}"
        elif finding.theirs or finding.ours is None or finding.ours not in replaced:
            yield finding.message


def _prevailing(plan: Blueprint) -> str:
    """How most of the file's weights are stored."""
    stored = [tensor.storage.dtype for _, _, tensor, _ in plan.weights() if tensor.storage]
    return "float16" if stored.count("FLOAT16") > len(stored) / 2 else "float32"
