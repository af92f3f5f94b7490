"""The last step of `unlite demo`: the converted model at work."""

from pathlib import Path

import converter
from parity.detection import PALM, best_detection
from parity.pictures import as_input, draw_hand
from parity.runners import keras_runner

WRIST, MIDDLE_FINGER = 0, 2


def find_hand(model: Path, picture: Path) -> str:
    """Let a converted palm detector look at a drawn hand.

    Args:
        model: The `.keras` file.
        picture: Where to write the picture, with the box drawn in.

    Returns:
        Where the hand is, in words.
    """
    from PIL import ImageDraw

    hand = draw_hand(PALM.size)
    regressors, logits = keras_runner(converter.load(model))([as_input(hand)])
    found = best_detection(regressors[0], logits[0], PALM)
    corners = [share * PALM.size for share in found.box]
    points = found.keypoints[[WRIST, MIDDLE_FINGER]] * PALM.size
    draw = ImageDraw.Draw(hand)
    draw.rectangle(corners, outline=(220, 30, 30))
    for x, y in points:
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(30, 60, 220))
    hand.save(picture)
    places = [f"({x:.0f}, {y:.0f})" for x, y in points]
    return (
        f"found a palm with score {found.score:.2f}: "
        f"box ({corners[0]:.0f}, {corners[1]:.0f}) to ({corners[2]:.0f}, {corners[3]:.0f}) of "
        f"{PALM.size}×{PALM.size} pixels, wrist at {places[0]}, base of the middle finger at {places[1]}\n"
        f"drawn into {picture}"
    )
