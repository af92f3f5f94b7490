"""Pictures of hands drawn by code, free of licences and of people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from unlite.detection.gestures import FOLDED, GESTURES, INDEX, LITTLE, MIDDLE, RING, THUMB, WIDTHS, Line, Point
from unlite.detection.pipeline import Floats

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Colour = tuple[int, int, int]

SKIN: Colour = (191, 140, 126)
BACKGROUND: Colour = (233, 228, 225)
# A crease's share of the skin's light, per channel: on flat skin, and on skin that is shaded already.
CREASE, SOFT_CREASE = (190 / 191, 130 / 140, 85 / 126), (0.89, 0.82, 0.78)

# All shapes in the units of `unlite.detection.gestures`.
PALM: Line = (
    *((-0.20, -0.11), (-0.12, -0.16), (-0.03, -0.18), (0.14, -0.18), (0.22, -0.09), (0.23, 0.07)),
    *((0.16, 0.27), (0.09, 0.34), (0.10, 0.57), (-0.12, 0.53), (-0.10, 0.33), (-0.20, 0.20)),
)
WRIST = 0.34  # what is lower belongs to the arm
PALM_MIDDLE = 0.15  # of the polygon, down from the centre
CREASES: tuple[Line, ...] = (
    ((-0.19, -0.02), (0.06, 0.00), (0.10, -0.08)),
    ((-0.10, -0.06), (0.05, 0.06), (0.19, 0.05)),
    ((-0.19, -0.02), (-0.05, 0.10), (-0.04, 0.28)),
)
SLEEVE: Line = ((-0.17, 0.44), (0.17, 0.46), (0.24, 3.0), (-0.24, 3.0))  # on and out of most pictures
# Where MediaPipe's palm detector puts its keypoints in these drawings (median of 540), in its order: wrist; base of
# index, middle, ring and little finger; base and knuckle of the thumb.
KEYPOINTS: Line = (
    *((0.01, 0.33), (-0.13, -0.10), (-0.03, -0.095), (0.065, -0.07), (0.155, -0.035)),
    *((-0.10, 0.23), (-0.205, 0.13)),
)
# Its box is an upright square about them, larger than the longer side of what they span by so much (measured).
PALM_SIDE = 1.035
# Round shapes: drawn over each other, as shares of the whole shape's width; how light, in units of the shading.
LEVELS = ((1.0, -1.0), (0.8, -0.3), (0.55, 0.3), (0.3, 0.7))
EDGE, FOLD, CREASE_WIDTH = 0.015, 0.02, 0.010  # outlines of fingers beside the palm, and on it
# Drawn this many times larger and scaled down, for smooth edges.
OVERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Whose hand it is.

    Attributes:
        skin: Its colour.
        aspect: Width of the whole hand, 1 being usual.
        length: Of the fingers.
        width: Of the fingers.
        shading: How much darker than the skin a finger's edges are, as a share; 0: flat. The detector finds hands that
            fill the picture only if they are shaded, best by 0.1 to 0.15.
        sleeve: Its colour; None: a bare arm that ends below the wrist.
    """

    skin: Colour = SKIN
    aspect: float = 1.0
    length: float = 1.0
    width: float = 1.0
    shading: float = 0.0
    sleeve: Colour | None = None


@dataclass(frozen=True, slots=True)
class DrawnHand:
    """One hand, and where it is.

    Attributes:
        scale: Height of an open hand with its wrist as a share of the picture's.
        centre: (x, y) of the palm's centre, as shares of the picture.
        degrees: How far it is turned, clockwise.
        gesture: One of `GESTURES`.
        is_mirrored: Whether it is the other hand: the thumb is on the right.
        person: Whose hand it is.
    """

    scale: float = 0.38
    centre: Point = (0.53, 0.64)
    degrees: float = 0.0
    gesture: str = "open"
    is_mirrored: bool = False
    person: Person = field(default_factory=Person)


@dataclass(frozen=True, slots=True)
class HandPlace:
    """Where things are, as shares of the picture; they may be outside.

    Attributes:
        keypoints_xy: [7, 2], those of MediaPipe's palm detector.
        palm_xywh: [4] Left, top, width and height of the palm, as this detector draws them.
        hand_xywh: [4] Of the whole hand down to the wrist, as people draw them.
    """

    keypoints_xy: Floats
    palm_xywh: Floats
    hand_xywh: Floats


def draw(
    height: int = 192,
    width: int = 192,
    hands: Sequence[DrawnHand] = (DrawnHand(),),
    background: "Colour | Image" = BACKGROUND,
) -> "Image":
    """Hands, seen from the palm's side, the last one in front, in an RGB picture of so many pixels."""
    from PIL import Image, ImageDraw, ImageFilter

    size = (width * OVERSAMPLING, height * OVERSAMPLING)
    if isinstance(background, tuple):
        picture = Image.new("RGB", size, background)
    else:
        picture = background.resize(size, Image.Resampling.BILINEAR)
    for hand in hands:
        _Brush(ImageDraw.Draw(picture), _Frame(hand, picture.size)).draw_hand()
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    return small.filter(ImageFilter.GaussianBlur(height / 300))


def locate(hand: DrawnHand, height: int, width: int) -> HandPlace:
    """Where a hand is in a picture of so many pixels."""
    frame, size = _Frame(hand, (width, height)), np.array([width, height], np.float32)
    keypoints = np.array([frame.place(point) for point in KEYPOINTS], np.float32)
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    side = np.full(2, PALM_SIDE * (high - low).max(), np.float32)
    edges = np.array([edge for shape in _outlines(frame) for edge in shape], np.float32)
    least, most = edges.min(axis=0), edges.max(axis=0)
    return HandPlace(
        keypoints / size,
        np.concatenate([((low + high) / 2 - side / 2) / size, side / size]),
        np.concatenate([least / size, (most - least) / size]),
    )


def _outlines(frame: "_Frame") -> Iterator[tuple[Point, Point]]:
    """Two corners of an upright box about each part of the hand, in pixels."""
    for point in PALM:
        corner = frame.place((point[0], min(point[1], WRIST)))
        yield corner, corner
    for finger, line in enumerate(frame.fingers):
        radius = (WIDTHS[finger] * frame.hand.person.width + FOLD) * frame.unit / 2
        for x, y in map(frame.place, line):
            yield (x - radius, y - radius), (x + radius, y + radius)


class _Frame:
    """From a hand's own units to pixels."""

    def __init__(self, hand: DrawnHand, size: tuple[int, int]) -> None:
        self.hand, self.size = hand, size
        self.gesture = GESTURES[hand.gesture]
        self.unit = hand.scale * size[1]
        self.across = -hand.person.aspect if hand.is_mirrored else hand.person.aspect
        turn = radians(hand.degrees + (-self.gesture.turn if hand.is_mirrored else self.gesture.turn))
        self.sine, self.cosine = sin(turn), cos(turn)

    @property
    def fingers(self) -> list[Line]:
        """Where they lie, from the thumb, stretched or folded."""
        folded = (self.gesture.thumb, *FOLDED[INDEX:])
        return [
            self._lengthened(self.gesture.stretched[finger]) if finger in self.gesture.stretched else folded[finger]
            for finger in range(len(FOLDED))
        ]

    def _lengthened(self, line: Line) -> Line:
        more, (left, top) = self.hand.person.length - 1, line[0]
        return tuple((x + more * (x - left), y + more * (y - top)) for x, y in line)

    def place(self, point: Point) -> Point:
        x, y = point[0] * self.across * self.unit, point[1] * self.unit
        left, top = self.hand.centre[0] * self.size[0], self.hand.centre[1] * self.size[1]
        return left + self.cosine * x - self.sine * y, top + self.sine * x + self.cosine * y


class _Brush:
    """Draws one hand."""

    def __init__(self, draw: "ImageDraw", frame: _Frame) -> None:
        self.draw, self.frame, person = draw, frame, frame.hand.person
        self.crease = _scaled(person.skin, SOFT_CREASE if person.shading else CREASE)
        shades = LEVELS if person.shading else ((1.0, 0.0),)
        self.shades = [(share, _scaled(person.skin, (1 + person.shading * light,) * 3)) for share, light in shades]

    def draw_hand(self) -> None:
        stretched, person = self.frame.gesture.stretched, self.frame.hand.person
        fingers = [(line, width * person.width) for line, width in zip(self.frame.fingers, WIDTHS, strict=True)]
        for finger in stretched:
            line, width = fingers[finger]
            self._stroke(line, width + EDGE, self.crease)
        self._palm()
        if person.sleeve:
            self._polygon(SLEEVE, person.sleeve)
        for finger in stretched:
            self._skin(*fingers[finger])
        for crease in CREASES:
            self._stroke(crease, CREASE_WIDTH, self.crease)
        for finger in (LITTLE, RING, MIDDLE, INDEX, THUMB):  # the thumb lies on the others
            if finger not in stretched:
                self._folded(*fingers[finger])

    def _palm(self) -> None:
        for share, colour in self.shades:
            rest = 1 - share
            self._polygon([(x - rest * x, y + rest * (PALM_MIDDLE - y)) for x, y in PALM], colour)

    def _folded(self, line: Line, width: float) -> None:
        self._stroke(line, width + FOLD, self.crease)
        self._skin(line, width)
        if len(line) == len(FOLDED[INDEX]):  # the joint
            (x, top), (_, bottom) = line
            middle, half = 0.55 * top + 0.45 * bottom, 0.38 * width
            self._stroke(((x - half, middle), (x + half, middle)), CREASE_WIDTH, self.crease)

    def _skin(self, line: Line, width: float) -> None:
        for share, colour in self.shades:
            self._stroke(line, share * width, colour)

    def _polygon(self, corners: Sequence[Point], colour: Colour) -> None:
        self.draw.polygon([self.frame.place(corner) for corner in corners], fill=colour)

    def _stroke(self, line: Line, width: float, colour: Colour) -> None:
        radius = width * self.frame.unit / 2
        for start, end in pairwise(map(self.frame.place, line)):
            self.draw.line((start, end), fill=colour, width=round(2 * radius))
            for x, y in (start, end):
                self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _scaled(colour: Colour, factors: tuple[float, float, float]) -> Colour:
    red, green, blue = (min(255, round(light * factor)) for light, factor in zip(colour, factors, strict=True))
    return red, green, blue
