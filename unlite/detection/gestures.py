"""What the fingers of drawn hands do.

All in units of the hand's size: fingers up, thumb on the left, centre of the palm at (0, 0), y downwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Point = tuple[float, float]
Line = tuple[Point, ...]

THUMB, INDEX, MIDDLE, RING, LITTLE = range(5)
WIDTHS = (0.10, 0.12, 0.13, 0.12, 0.09)
STRETCHED: tuple[Line, ...] = (
    ((-0.10, 0.17), (-0.40, -0.12)),
    ((-0.18, -0.14), (-0.15, -0.49)),
    ((-0.03, -0.15), (-0.04, -0.49)),
    ((0.05, -0.12), (0.12, -0.46)),
    ((0.18, -0.10), (0.22, -0.36)),
)
# Seen from the palm's side: from the knuckle back down onto the palm; the thumb across.
FOLDED: tuple[Line, ...] = (
    ((-0.12, 0.19), (-0.24, 0.04), (-0.04, -0.01)),
    ((-0.155, -0.15), (-0.150, 0.00)),
    ((-0.035, -0.17), (-0.040, 0.01)),
    ((0.080, -0.155), (0.065, 0.00)),
    ((0.180, -0.11), (0.155, 0.00)),
)


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the fingers do.

    Attributes:
        stretched: Fingers that are not folded, by number from the thumb, and where they lie.
        thumb: Where a folded thumb lies.
        turn: How far the whole hand is turned, degrees clockwise.
    """

    stretched: Mapping[int, Line]
    thumb: Line = FOLDED[THUMB]
    turn: float = 0.0


GESTURES: Mapping[str, Gesture] = MappingProxyType(
    {
        "open": Gesture(dict(enumerate(STRETCHED))),
        "fist": Gesture({}, thumb=((-0.12, 0.19), (-0.22, 0.08), (0.00, 0.06))),
        "point": Gesture({INDEX: ((-0.16, -0.14), (-0.15, -0.50))}),
        "victory": Gesture(
            {INDEX: ((-0.15, -0.14), (-0.23, -0.48)), MIDDLE: ((-0.03, -0.15), (0.05, -0.50))},
            thumb=((-0.12, 0.19), (-0.20, 0.04), (0.07, -0.02)),
        ),
        "three": Gesture(
            {INDEX: ((-0.15, -0.14), (-0.22, -0.46)), MIDDLE: STRETCHED[MIDDLE], RING: STRETCHED[RING]},
            thumb=((-0.12, 0.19), (-0.16, 0.04), (0.13, -0.02)),
        ),
        "thumbs_up": Gesture({THUMB: ((-0.10, 0.17), (-0.26, 0.00), (-0.50, -0.06))}, turn=75),
        "ok": Gesture(
            {
                THUMB: ((-0.10, 0.17), (-0.27, 0.03), (-0.34, -0.10)),
                INDEX: ((-0.17, -0.14), (-0.27, -0.28), (-0.34, -0.14)),
                MIDDLE: ((-0.03, -0.15), (-0.06, -0.49)),
                RING: ((0.06, -0.13), (0.12, -0.47)),
                LITTLE: ((0.18, -0.10), (0.28, -0.36)),
            }
        ),
        "horns": Gesture(
            {INDEX: ((-0.16, -0.14), (-0.19, -0.48)), LITTLE: ((0.18, -0.10), (0.24, -0.40))},
            thumb=((-0.12, 0.19), (-0.20, 0.04), (0.03, -0.02)),
        ),
        "call": Gesture({THUMB: STRETCHED[THUMB], LITTLE: ((0.18, -0.08), (0.37, -0.30))}),
    }
)
