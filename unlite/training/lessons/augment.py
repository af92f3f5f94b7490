"""Pictures as a detector may see them: turned, shifted, near and far, in other light and before other backgrounds.

Done in Albumentations on bytes, so that every back end gets the same; each picture's variation depends on a seed
and its number alone, so that it is the same in whatever order, and by however many threads, they are made.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converter.detectors.letterbox import offset_and_extent
from converter.detectors.table import Detector
from converter.extras import importing
from unlite.detection.pipeline import Detections, Floats, Pixels, as_tensor
from unlite.training.lessons.targets import Objects

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures are varied.

    Attributes:
        scale: Least and largest size, as a multiple of a picture that just fits the input.
        shift: Most, in shares of the input.
        degrees: Most, to either side.
        flip: How often mirrored.
        light: Most change of brightness and contrast, as a share.
        colour: Most change of saturation, and a fifth of it of hue.
        blur: How often blurred.
        plain: How often a picture that became smaller lies on the colour of its edge; otherwise the edge is repeated.
        background: How often it lies on another picture without objects, or on blotches, instead.
    """

    scale: tuple[float, float] = (0.45, 1.05)
    shift: float = 0.15
    degrees: float = 25.0
    flip: float = 0.5
    light: float = 0.3
    colour: float = 0.3
    blur: float = 0.15
    plain: float = 0.3
    background: float = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the detector sees it.

    Attributes:
        tensor: [1, height, width, 3], the network's input.
        objects: Shares of the input.
    """

    tensor: Floats
    objects: Objects


def drawn(seen: Seen, detector: Detector, labels: Sequence[str]) -> "Image":
    """The network's input as a picture, with its objects."""
    from unlite.detection.drawing import Side, annotated
    from unlite.detection.finder import Named

    low, high = detector.range
    pixels = np.clip((seen.tensor[0] - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    objects = seen.objects
    scores = np.ones(len(objects), np.float32)
    found = Detections(objects.boxes_xywh, objects.keypoints_xy, scores, objects.classes)
    names = [Named(labels[each] if each >= 0 else "ignored") for each in objects.classes]
    return annotated(pixels, Side("", found, names))


def as_it_is(picture: Pixels, objects: Objects, detector: Detector) -> Seen:
    """What `unlite detect` shows the network.

    Args:
        picture: RGB [H, W, 3].
        objects: Shares of the picture.
        detector: What the network takes.
    """
    tensor, padding = as_tensor(picture, detector)
    offset, extent = offset_and_extent(padding)
    boxes = np.concatenate([objects.boxes_xywh[:, :2] * extent + offset, objects.boxes_xywh[:, 2:] * extent], axis=1)
    return Seen(tensor, Objects(boxes, objects.classes, objects.keypoints_xy * extent + offset))


class Augmenter:
    """Makes variations.

    Args:
        detector: What the network takes.
        augmentation: How far.
        backgrounds: Gives one of the pictures without objects for a random number from 0 to 1; None: there are none.

    Raises:
        MissingBackend: Albumentations is not installed.
    """

    def __init__(
        self,
        detector: Detector,
        augmentation: Augmentation,
        backgrounds: Callable[[float], Pixels] | None = None,
    ) -> None:
        # It asks the package index for a newer version when it is imported: nothing here leaves the machine.
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
        with importing("train", "augmentation"):
            import albumentations
        self._detector, self._settings, self._backgrounds = detector, augmentation, backgrounds
        self._make, self._own = partial(_pipelines, albumentations, detector, augmentation), local()
        self._mirrored = mirrored(detector.keypoints)

    def __call__(self, picture: Pixels, objects: Objects, seed: Sequence[int]) -> Seen:
        """One variation.

        Args:
            picture: RGB [H, W, 3].
            objects: Shares of the picture.
            seed: What it depends on.
        """
        rng = np.random.default_rng(seed)
        geometry, light = self._pipelines()
        _seed((geometry, light), rng)
        size = np.array(picture.shape[1::-1], np.float32)
        made = geometry(image=picture, keypoints=np.concatenate([CORNERS, _points(objects)]) * size)
        canvas, moved = made["image"], np.asarray(made["keypoints"], np.float32)[:, :2]
        chance, settings = rng.random(), self._settings
        if chance < settings.background + settings.plain:
            colour = _edge_colour(picture) if chance < settings.plain else self._background(rng)
            canvas = np.where(_inside(moved[:4], canvas.shape[:2]), canvas, colour)
        canvas = light(image=canvas)["image"]
        size = np.array([self._detector.width, self._detector.height], np.float32)
        points = moved[4:].reshape(len(objects), 3 + len(self._mirrored), 2) / size
        low, high = self._detector.range
        tensor = canvas[None].astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        return Seen(tensor, _objects(points, objects, self._mirrored))

    @property
    def flip(self) -> float:
        """How often mirrored."""
        return self._settings.flip

    def in_other_light(self, pixels: Pixels, seed: int) -> Pixels:
        """A picture, RGB [H, W, 3] of any size, with other brightness and colours, perhaps blurred."""
        _, light = self._pipelines()
        _seed([light], np.random.default_rng(seed))
        return np.asarray(light(image=pixels)["image"], np.uint8)

    def _pipelines(self) -> tuple[Any, Any]:
        """Each thread has its own: they carry the random numbers that they will use."""
        if not hasattr(self._own, "made"):
            self._own.made = self._make()
        made: tuple[Any, Any] = self._own.made
        return made

    def _background(self, rng: np.random.Generator) -> Pixels:
        import cv2

        height, width = self._detector.height, self._detector.width
        if self._backgrounds is None or rng.random() < NOISE:
            coarse = rng.integers(0, 256, (*rng.integers(1, 8, 2), 3)).astype(np.uint8)
            return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return np.asarray(cv2.resize(self._backgrounds(rng.random()), (width, height)), np.uint8)


def _seed(pipelines: Sequence[Any], rng: np.random.Generator) -> None:
    """Each transform has dice of its own: with the same seed, all of them would throw the same."""
    for pipeline in pipelines:
        for transform in pipeline.transforms:
            transform.set_random_seed(int(rng.integers(1 << 31)))


# Of a picture, in an order that goes around it.
CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)


def _inside(corners: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    """[height, width, 1]: where the picture is whose corners, in pixels, have moved here."""
    import cv2

    mask = cv2.fillConvexPoly(np.zeros(size, np.uint8), np.round(corners).astype(np.int32), 1)
    return np.asarray(mask, bool)[..., None]


def _edge_colour(picture: Pixels) -> Pixels:
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return np.asarray(np.median(edge, axis=0), np.uint8)


NOISE = 0.3  # how often, of the times when there are pictures to take


def _pipelines(albumentations: Any, detector: Detector, settings: Augmentation) -> tuple[Any, Any]:
    import cv2

    a, size = albumentations, (detector.height, detector.width)
    geometry = [
        a.LongestMaxSize(max_size_hw=size),
        a.PadIfNeeded(*size, border_mode=cv2.BORDER_REPLICATE),
        a.HorizontalFlip(p=settings.flip),
        a.Affine(
            scale=settings.scale,
            translate_percent=(-settings.shift, settings.shift),
            rotate=(-settings.degrees, settings.degrees),
            keep_ratio=True,
            border_mode=cv2.BORDER_REPLICATE,
            p=1,
        ),
    ]
    light = [
        a.ColorJitter(
            brightness=(1 - settings.light, 1 + settings.light),
            contrast=(1 - settings.light, 1 + settings.light),
            saturation=(1 - settings.colour, 1 + settings.colour),
            hue=(-settings.colour / 5, settings.colour / 5),
            p=0.8,
        ),
        a.GaussianBlur(blur_limit=(3, 5), p=settings.blur),
    ]
    points = a.KeypointParams(format="xy", remove_invisible=False)
    return a.Compose(geometry, keypoint_params=points), a.Compose(light)


def mirrored(keypoints: Sequence[str]) -> list[int]:
    """Which keypoint each one becomes in a mirror: a right eye is a left eye there, a wrist stays a wrist."""
    other = {"left": "right", "right": "left"}
    names = [" ".join(other.get(word, word) for word in name.split()) for name in keypoints]
    return [list(keypoints).index(name) if name in keypoints else place for place, name in enumerate(names)]


def _points(objects: Objects) -> Floats:
    """[G × (3 + K), 2]: each box as its centre and the middles of its right and lower side, then its keypoints."""
    half = objects.boxes_xywh[:, 2:] / 2
    centre = objects.boxes_xywh[:, :2] + half
    right, below = centre + half * (1, 0), centre + half * (0, 1)
    keypoints = np.where(np.isfinite(objects.keypoints_xy), objects.keypoints_xy, centre[:, None])
    made: Floats = np.concatenate([np.stack([centre, right, below], axis=1), keypoints], axis=1)
    return made.reshape(-1, 2)


def _objects(points: Floats, before: Objects, mirrored: Sequence[int]) -> Objects:
    """From the points where they are now: a turned box becomes the one around the ellipse that it held."""
    centre, right, below = (points[:, place] for place in range(3))
    half = np.sqrt((right - centre) ** 2 + (below - centre) ** 2)
    keypoints = points[:, 3:]
    # A mirror turns what is to the right of a box to its left.
    is_mirrored = np.linalg.det(np.stack([right - centre, below - centre], axis=1)) < 0
    keypoints = np.where(is_mirrored[:, None, None], keypoints[:, list(mirrored)], keypoints)
    keypoints = np.where(np.isfinite(before.keypoints_xy), keypoints, np.nan)
    boxes = np.concatenate([centre - half, 2 * half], axis=1)
    return Objects(boxes.astype(np.float32), before.classes, keypoints.astype(np.float32))
