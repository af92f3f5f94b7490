"""What drawn hands are seen in front of, what is no hand, and the light; all out of the generator that is given."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Colour = tuple[int, int, int]
# From light to dark; palms, which are lighter than the rest of a dark hand.
TONES: tuple[Colour, ...] = (
    *((241, 204, 180), (224, 172, 140), (198, 148, 118)),
    *((160, 105, 75), (126, 82, 60), (101, 66, 51)),
)
MOST_BOXES, MOST_THINGS = 9, 4
STRIPED = 70  # how far two stripes' colours are apart, at most
COARSE = 12  # patches of clouds along a side
BRIGHTNESS, CONTRAST, TINT = (0.8, 1.15), (0.85, 1.15), (0.94, 1.06)
BLUR = 0.003  # of the shorter side, at most
GRAIN = 5  # in 255ths, at most


def room(dice: np.random.Generator, height: int, width: int) -> "Image":
    """A background, RGB: plain, a gradient, clouds, stripes, coloured boxes, or a desk before a wall."""
    kinds = (_plain, _gradient, _clouds, _stripes, _boxes, _desk)
    return kinds[dice.integers(len(kinds))](dice, height, width)


def add_things(dice: np.random.Generator, picture: "Image") -> None:
    """Draw what is no hand, though some of it has the colour of skin: faces, balls, sticks, leaves."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    kinds = (_face, _ball, _stick, _leaf)
    for _ in range(dice.integers(1, MOST_THINGS + 1)):
        colour = TONES[dice.integers(len(TONES))] if dice.random() < 0.5 else _colour(dice)
        x, y = dice.random() * picture.width, dice.random() * picture.height
        radius = dice.uniform(0.06, 0.22) * min(picture.size)
        kinds[dice.integers(len(kinds))](dice, draw, (x, y, radius), colour)


def in_light(dice: np.random.Generator, picture: "Image") -> "Image":
    """Brighter or darker, with more or less contrast, warmer or colder, a little out of focus, with grain."""
    from PIL import Image, ImageFilter

    brightness, contrast = dice.uniform(*BRIGHTNESS), dice.uniform(*CONTRAST)
    table: list[int] = []
    for tint in dice.uniform(*TINT, 3):
        values = ((np.arange(256) - 128) * contrast + 128) * brightness * tint
        table += np.clip(np.rint(values), 0, 255).astype(int).tolist()
    blurred = picture.point(table).filter(ImageFilter.GaussianBlur(dice.uniform(0, BLUR) * min(picture.size)))
    grain = int(dice.integers(GRAIN + 1))
    pixels = np.asarray(blurred, np.int16)
    pixels = pixels + dice.integers(-grain, grain, pixels.shape, np.int16, endpoint=True)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _colour(dice: np.random.Generator) -> Colour:
    red, green, blue = dice.integers(20, 250, 3).tolist()
    return red, green, blue


def _wall(dice: np.random.Generator) -> Colour:
    """Grey with a touch of colour, light more often than dark."""
    grey = 250 - 215 * dice.random() ** 2
    red, green, blue = np.clip(grey + dice.uniform(-22, 22, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _plain(dice: np.random.Generator, height: int, width: int) -> "Image":
    from PIL import Image

    return Image.new("RGB", (width, height), _wall(dice))


def _gradient(dice: np.random.Generator, height: int, width: int) -> "Image":
    return _enlarged(np.array([[_wall(dice), _wall(dice)], [_wall(dice), _wall(dice)]], np.uint8), height, width)


def _clouds(dice: np.random.Generator, height: int, width: int) -> "Image":
    spread = dice.uniform(10, 60)
    patches = np.array(_wall(dice)) + spread * (dice.random((COARSE, COARSE, 1)) - 0.5 + dice.random(3) / 4)
    return _enlarged(np.clip(patches, 0, 255).astype(np.uint8), height, width)


def _enlarged(patches: NDArray[np.uint8], height: int, width: int) -> "Image":
    from PIL import Image

    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def _stripes(dice: np.random.Generator, height: int, width: int) -> "Image":
    from PIL import Image

    first = np.array(_wall(dice))
    second = np.clip(first + dice.uniform(-STRIPED, STRIPED, 3), 0, 255)
    across, down = np.arange(width), np.arange(height)[:, None]
    turn, count = dice.uniform(0, np.pi), dice.uniform(3, 12)
    phase = (np.cos(turn) * across + np.sin(turn) * down) * count / min(height, width)
    return Image.fromarray(np.where((phase % 1 < 0.5)[..., None], first, second).astype(np.uint8))


def _boxes(dice: np.random.Generator, height: int, width: int) -> "Image":
    from PIL import ImageDraw

    picture = _plain(dice, height, width)
    draw = ImageDraw.Draw(picture)
    for _ in range(dice.integers(3, MOST_BOXES + 1)):
        left, top = dice.uniform(-0.1, 0.9) * width, dice.uniform(-0.1, 0.9) * height
        right, bottom = left + dice.uniform(0.1, 0.4) * width, top + dice.uniform(0.1, 0.4) * height
        draw.rectangle((left, top, right, bottom), fill=_colour(dice))
    return picture


def _desk(dice: np.random.Generator, height: int, width: int) -> "Image":
    from PIL import ImageDraw

    picture = _plain(dice, height, width)
    draw, edge = ImageDraw.Draw(picture), dice.uniform(0.45, 0.8) * height
    wood = 0.5 + 0.5 * dice.random()
    draw.rectangle((0, edge, width, height), fill=(round(170 * wood), round(125 * wood), round(85 * wood)))
    draw.line((0, edge, width, edge), fill=(60, 45, 35), width=1)
    for _ in range(dice.integers(1, 4)):  # books and boxes on it
        left, wide = dice.random() * width, dice.uniform(0.08, 0.25) * width
        draw.rectangle((left, edge - dice.uniform(0.05, 0.25) * height, left + wide, edge), fill=_colour(dice))
    return picture


Disc = tuple[float, float, float]


def _round(draw: "ImageDraw", disc: Disc, colour: Colour, stretch: float = 1) -> None:
    x, y, radius = disc
    draw.ellipse((x - radius, y - radius * stretch, x + radius, y + radius * stretch), fill=colour)


def _ball(dice: np.random.Generator, draw: "ImageDraw", disc: Disc, colour: Colour) -> None:
    x, y, radius = disc
    lighter = [min(255, round(light * 1.15)) for light in colour]
    _round(draw, disc, colour)
    _round(
        draw, (x - radius / 4, y - radius / 4, radius * dice.uniform(0.3, 0.6)), (lighter[0], lighter[1], lighter[2])
    )


def _face(dice: np.random.Generator, draw: "ImageDraw", disc: Disc, colour: Colour) -> None:
    x, y, radius = disc
    _round(draw, disc, colour, dice.uniform(1.15, 1.4))
    for side in (-1, 1):
        _round(draw, (x + side * 0.4 * radius, y - 0.2 * radius, 0.13 * radius), (245, 245, 245))
        _round(draw, (x + side * 0.4 * radius, y - 0.2 * radius, 0.06 * radius), (30, 25, 25))
    draw.line((x - 0.35 * radius, y + 0.6 * radius, x + 0.35 * radius, y + 0.6 * radius), (140, 60, 60), 2)


def _stick(dice: np.random.Generator, draw: "ImageDraw", disc: Disc, colour: Colour) -> None:
    x, y, radius = disc
    turn, thick = dice.uniform(0, np.pi), max(2, round(radius * dice.uniform(0.15, 0.5)))
    across, down = 2 * radius * np.cos(turn), 2 * radius * np.sin(turn)
    draw.line((x - across, y - down, x + across, y + down), colour, thick)
    for side in (-1, 1):
        _round(draw, (x + side * across, y + side * down, thick / 2), colour)


def _leaf(dice: np.random.Generator, draw: "ImageDraw", disc: Disc, colour: Colour) -> None:
    x, y, radius = disc
    turns = np.sort(dice.uniform(0, 2 * np.pi, 7))
    reach = radius * dice.uniform(0.5, 1.4, 7)
    corners = zip((x + reach * np.cos(turns)).tolist(), (y + reach * np.sin(turns)).tolist(), strict=True)
    draw.polygon(list(corners), fill=colour)
