"""The last step of `unlite demo`: the converted model beside the original, near and far."""

from pathlib import Path

import numpy as np

from unlite.detection.drawing import side_by_side, stacked
from unlite.detection.drawn import DrawnHand, draw
from unlite.detection.finder import difference, load_finder

SIZE, WHITE = 480, (255, 255, 255)
# Near, further away, far: height of the hand as a share of the picture's.
SCALES = (0.5, 0.35, 0.2)


def find_hands(model: Path, original: Path, target: Path) -> tuple[str, bool]:
    """Let a converted palm detector and its original look at drawn hands.

    Args:
        model: The `.keras` file.
        original: The `.tflite` file.
        target: Where to write the picture of what they find.

    Returns:
        What they found, in words, and whether it is the same.
    """
    finder, against = load_finder(model), load_finder(original)
    lines, images, is_same, count = [], [], True, 0
    for scale in SCALES:
        picture = np.asarray(draw(SIZE, SIZE, [DrawnHand(scale, (0.5, 0.52))], WHITE))
        both = finder(picture), against(picture)
        apart = difference(*both)
        is_same, count = is_same and apart.is_same, count + len(apart.pairs)
        lines.append(f"a hand of {scale:.0%} of the picture: {_found(both[0].scores)}; {apart}")
        images.append(side_by_side(picture, both, (finder.name, against.name), apart))
    stacked(images).save(target)
    return "\n".join([*lines, f"drawn into {target}"]), is_same and count > 0


def _found(scores: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> str:
    return " and ".join(f"palm with score {score:.3f}" for score in scores) or "nothing"
