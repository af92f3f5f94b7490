"""A detector, its designs and a picture, ready to be measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

import converter
from converter.blueprints.cost import Cost, total
from converter.detectors.letterbox import Region
from converter.detectors.table import Detector, for_shapes
from converter.errors import BadDetector, BadHead
from converter.ops import RECORDS
from converter.passes.storage import fold_storage
from converter.surgery.heads import REGION, Design, replace_classes
from converter.tflite.model import Graph, Model
from converter.tflite.reader import read
from converter.tflite.variants import cut_at
from converter.write.placed import StorageType
from converter.write.writer import write
from parity.runners.runtimes import Array, LiteRT
from unlite.cost.latency import Contender
from unlite.cost.runtimes import Runtime, Subject
from unlite.detection.drawn import DrawnHand, draw
from unlite.detection.pipeline import (
    Detections,
    Floats,
    Pixels,
    as_tensor,
    decode,
    regressors_and_logits,
    sample,
    suppress,
)

HEIGHT, WIDTH = 480, 640  # of the picture: what cameras give
HANDS = (DrawnHand(0.5, (0.3, 0.5)), DrawnHand(0.4, (0.7, 0.5)))
# What decoding and suppression get: a few hands or faces, each found by several anchors.
CANDIDATES = 20
# Their logits, from the best to the last: above every known detector's threshold.
LIFTED = (6.0, 3.0)
# How far all others are below the best of them: no detector's threshold is there.
SUNK = 20.0
TWO_STAGE: Design = "two_stage"
NO_MODELS: Mapping[Design, Any] = {}


@dataclass(frozen=True, slots=True)
class Variant:
    """One design with so many classes.

    Attributes:
        subject: The detector; for `two_stage` the second stage, which runs after the unchanged detector.
    """

    design: Design
    classes: int
    subject: Subject

    @property
    def name(self) -> str:
        """What its contender is called."""
        return f"{self.design} {self.classes}"

    @property
    def networks(self) -> tuple[str, ...]:
        """Contenders that run one after the other to get its outputs."""
        return ("detector", self.name) if self.design == TWO_STAGE else (self.name,)

    @property
    def decoding(self) -> str:
        """What the contender is called that decodes its outputs."""
        return f"{self.name} decoding"

    @property
    def run(self) -> tuple[str, ...]:
        """All contenders that it takes from picture to detections."""
        cropping = ("cropping",) if self.design == TWO_STAGE else ()
        return ("preprocessing", *self.networks, self.decoding, "suppression", *cropping)


@dataclass(frozen=True, slots=True)
class Costs:
    """What the networks of a variant cost, and what the unchanged detector does."""

    networks: Cost
    unchanged: Cost

    @property
    def expected(self) -> float:
        """How many times as long as the unchanged detector it takes, if multiply-adds or bytes say so."""
        after, before = self.networks, self.unchanged
        return max(after.multiply_adds / before.multiply_adds, after.bytes / before.bytes)


def features(graph: Graph) -> tuple[int, ...]:
    """The tensors that a detector's heads read: what the last convolution before each output takes.

    Raises:
        BadHead: Behind an output is something else than a convolution.
    """
    folded = fold_storage(graph)
    makers = {index: op for op in folded.ops for index in op.outputs}
    between = {
        op.name for record in RECORDS if any(layer.in_head for layer in record.layers) for op in record.operators
    }

    def walk(index: int) -> Iterator[int]:
        op = makers.get(index)
        if op is None or op.kind not in (*between, "CONV_2D"):
            raise BadHead(f"no detection head: {graph.tensors[index]} comes of {op or 'nothing'}, not of a convolution")
        computed = [i for i in op.inputs if i is not None and folded.tensors[i].storage is None]
        if op.kind == "CONV_2D":
            yield computed[0]
        else:
            for operand in computed:
                yield from walk(operand)

    return tuple(dict.fromkeys(found for index in graph.outputs for found in walk(index)))


@dataclass(frozen=True, slots=True)
class Bench:
    """A detector and a picture.

    Attributes:
        original: The file.
        unchanged: The detector as it is.
        backbone: The same without its heads: the file cut at the tensors that they read.
        picture: RGB, two drawn hands.
    """

    original: Model
    detector: Detector
    unchanged: Subject
    backbone: Subject
    picture: Pixels

    @classmethod
    def of(cls, original: Model, detector: Detector | None = None) -> "Bench":
        """Convert a file and draw a picture.

        Raises:
            BadHead: It has no detection head.
        """
        found = detector or _known(original)
        features(original.graph)  # said before Keras is imported
        picture = np.asarray(draw(HEIGHT, WIDTH, HANDS))
        example = [as_tensor(picture, found)[0]]
        model = converter.convert(original)
        unchanged = Subject(model, cache(partial(write, original, model)), example)

        @cache
        def cut(dtype: StorageType | None) -> bytes:
            data = unchanged.store(dtype)
            return cut_at(data, features(read(data).graph))

        backbone = Subject(converter.convert(read(cut(None))), cut, example)
        return cls(original, found, unchanged, backbone, picture)

    def variants(
        self,
        designs: Sequence[Design],
        classes: Sequence[int],
        progress: Callable[[str], None] = lambda _: None,
        models: Mapping[Design, Any] = NO_MODELS,
    ) -> Iterator[Variant]:
        """All designs with all numbers of classes; `models` has those that are built already."""
        whole = self.unchanged.model
        for design in designs:
            is_second = design == TWO_STAGE
            for count in classes:
                progress(f"building {design}, {count} classes")
                built = models.get(design)
                model = built or replace_classes(whole, count, design, detector=self.detector, share=True)
                source, example = (None, [self.region(model)]) if is_second else (self.original, self.unchanged.example)
                yield Variant(design, count, Subject(model, cache(partial(write, source, model)), example))

    def contenders(
        self, runtime: Runtime, variants: Sequence[Variant], progress: Callable[[str], None] = lambda _: None
    ) -> dict[str, Contender]:
        """Everything that one round runs, by name."""
        file, example = LiteRT(self.original.data, "xnnpack"), self.unchanged.example
        raw = file.run(example)
        found = _decoder(raw, TWO_STAGE, 1, self.detector)()
        threshold = self.detector.min_suppression_threshold
        made: dict[str, Contender] = {
            "original": partial(file.run, example),
            "preprocessing": lambda: as_tensor(self.picture, self.detector),
            "detector": partial(runtime.make(self.unchanged), example),
            "backbone": partial(runtime.make(self.backbone), example),
            "suppression": lambda: suppress(found, threshold),
        }
        seconds = [variant.subject.model for variant in variants if variant.design == TWO_STAGE]
        made["cropping"] = partial(self.region, *seconds[:1])
        for variant in variants:
            progress(variant.name)
            made[variant.name] = partial(runtime.make(variant.subject), variant.subject.example)
            made[variant.decoding] = _decoder(raw, variant.design, variant.classes, self.detector)
        return made

    def region(self, second: Any = None) -> Floats:
        """The left hand, a little turned, as MediaPipe cuts it out for a second stage."""
        size, (x, y) = HANDS[0].scale * HEIGHT, HANDS[0].centre
        extents = second.inputs[0].shape[1:3] if second else (REGION, REGION)
        where = Region(x * WIDTH, y * HEIGHT, size, size, 0.3)
        return sample(self.picture, where, (extents[0], extents[1]), self.detector.range)

    def cost(self, variant: Variant) -> Costs:
        """What all networks cost that it runs."""
        before, own = (_cost(subject.store) for subject in (self.unchanged, variant.subject))
        return Costs(before + own if variant.design == TWO_STAGE else own, before)


def lifted(raw: Sequence[Array], design: str, classes: int, detector: Detector) -> list[Array]:
    """Raw outputs of a head for so many classes, with twenty candidates: what there is to do, not what comes out.

    Args:
        raw: What the unchanged detector gives.
        design: `gated` has class logits beside objectness; `two_stage` decodes what the detector gives.
        classes: All equally likely.
        detector: What the outputs mean.
    """
    regressors = next(array for array in raw if array.shape[2] == detector.coordinates).copy()
    logits = next(array for array in raw if array.shape[2] != detector.coordinates).max(axis=2, keepdims=True)
    best = np.argsort(-logits[0, :, 0], kind="stable")[:CANDIDATES]
    logits = logits - logits.max() + np.float32(LIFTED[0] - SUNK)
    logits[0, best, 0] = np.linspace(*LIFTED, len(best))
    regressors[0, best, 2:4] = np.abs(regressors[0, best, 2:4])  # a box, whatever was there
    each = np.repeat(logits, classes, axis=2)
    if design == "gated":
        return [regressors, logits, each]
    return [regressors, logits if design == TWO_STAGE else each]


def _decoder(raw: Sequence[Array], design: str, classes: int, detector: Detector) -> Callable[[], Detections]:
    outputs = lifted(raw, design, classes, detector)
    return lambda: decode(*regressors_and_logits(outputs, detector), detector)


def _known(original: Model) -> Detector:
    graph = original.graph
    taken, given = ([graph.tensors[index].shape[1:] for index in ends] for ends in (graph.inputs, graph.outputs))
    try:
        return for_shapes(taken[0] if taken else (), given)
    except BadDetector as error:
        message, _, hint = str(error).partition("\nhint: ")
        raise BadHead(f"{original.name} has no detection head: {message}", hint) from None


@cache
def _cost(store: Callable[[StorageType | None], bytes]) -> Cost:
    return total(read(store(None)).graph)
