"""What a comparison layer by layer gives."""

from dataclasses import asdict, dataclass, field
from typing import Any

from converter.match.alignment.evidence import Match
from converter.match.audit import Finding
from parity.layerwise.statistics import Statistics


@dataclass(frozen=True, eq=False, slots=True)
class LayerResult:
    """One tensor of the original and what the candidate makes of it.

    Attributes:
        tensor: Its name.
        op: The operator that computes it.
        layer: The candidate's layer; None if it has none for this.
        shape: With the batch axis.
        span: Extent of the original's values.
        spread: Largest difference between LiteRT's own kernel sets.
        limit: What the layer's own error may be.
        chained_limit: What the error of the whole network may be here; no less than `limit`.
        chained: The whole network's error so far.
        isolated: The layer's own error; None where it cannot be run alone.
        is_output: Whether it is one of the model's outputs: then `chained` is also what the model itself returns.
        is_behind_gap: Whether it depends on something that the candidate has no partner for.
        is_set_aside: Whether the candidate computes it in another way, and what comes of it is equal.
    """

    tensor: str
    op: str
    layer: str | None
    shape: tuple[int, ...]
    span: float
    spread: float
    limit: float
    chained_limit: float
    chained: Statistics | None
    isolated: Statistics | None
    is_output: bool = False
    is_behind_gap: bool = False
    is_set_aside: bool = False
    match: Match | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether all that could be measured is as it should be."""
        return all(mode is None or mode.ok for mode in (self.chained, self.isolated))

    def as_dict(self, index: int) -> dict[str, Any]:
        """For JSON; `index` is the depth."""
        plain = ("tensor", "op", "layer", "shape", "span", "spread", "limit", "chained_limit")
        modes = {"chained": self.chained, "isolated": self.isolated}
        made = {"index": index} | {name: getattr(self, name) for name in plain}
        return made | {"shape": list(self.shape)} | {name: mode and mode.as_dict() for name, mode in modes.items()}


@dataclass(frozen=True, slots=True)
class Guilty:
    """The layer to look at first.

    Attributes:
        layer: The candidate's layer; the file's where the candidate has none.
        tensor: The tensor of the original that it should compute.
        op: The original's operator.
        mode: `isolated` if the layer is wrong on the original's own values; `absent` if the candidate lacks it;
            `misplaced` if it is right, but returned as another output; `chained` if no layer is wrong alone, but
            what comes out of all of them is.
        why: The reason, from the audit where it knows one.
    """

    layer: str
    tensor: str
    op: str
    mode: str
    why: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ParityReport:
    """The outcome.

    Attributes:
        layers: One per tensor of the original, in execution order.
        guilty: The first wrong layer; None if there is none.
        findings: What the audit found.
        notes: What was not compared, and why.
        inputs: How many inputs were run.
    """

    model: str
    candidate: str
    inputs: int
    layers: tuple[LayerResult, ...]
    guilty: Guilty | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every tensor that was compared agrees, all outputs among them."""
        outputs = [layer for layer in self.layers if layer.is_output]
        return bool(outputs) and all(o.chained is not None for o in outputs) and all(layer.ok for layer in self.layers)

    @property
    def matched_layers_ok(self) -> bool:
        """Whether all that could be compared agrees, though outputs may be missing (heads to be trained)."""
        compared = [layer for layer in self.layers if not layer.is_behind_gap]
        alone = [layer.isolated for layer in self.layers if layer.is_behind_gap and layer.isolated]
        is_fine = all(layer.ok for layer in compared) and all(mode.ok for mode in alone)
        return is_fine and any(layer.chained for layer in compared)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.model,
            "candidate": self.candidate,
            "ok": self.ok,
            "inputs": self.inputs,
            "guilty": self.guilty.as_dict() if self.guilty else None,
            "findings": [finding.as_dict() for finding in self.findings],
            "tensors": [layer.as_dict(index) for index, layer in enumerate(self.layers)],
            "notes": list(self.notes),
        }
