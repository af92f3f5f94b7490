"""Pictures that are nearly the same: re-encoded, resized, a little brighter, the next frame of a video."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from converter.extras import importing
from unlite.training.data.records import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A perceptual hash of 16×16 bits. Among 1,375 photographs of one hand each, the two most similar differ in 42 bits; a
# copy in up to 26 if it is re-encoded, half or three times as large, a fifth brighter or darker, or cut by a hundredth
# on each side. With 8×8 bits, copies differ in up to 8, and so do photographs: 506 of those would count as copies.
HASH_SIDE, BITS = 16, 28
# Hashes of pictures without structure are alike. Mean difference of thumbnails, of 255: a fifth brighter is 36.
COLOUR_SIDE, LEVELS = 16, 40
# JPEG decodes to an eighth at a time; the hash needs 64×64.
DECODED = 128
ROWS = 512


class Look(NamedTuple):
    """What a picture looks like from afar: bits of the hash [256], and a thumbnail's values [768]."""

    bits: "NDArray[np.float32]"
    colours: "NDArray[np.float32]"


def near_copies(examples: Sequence[Example]) -> tuple[tuple[int, ...], ...]:
    """Find pictures that are nearly the same, whatever they are labelled.

    Args:
        examples: Any; files that are missing or broken are nobody's copy.

    Returns:
        Groups of two or more, as positions in `examples`, ascending. Who is a copy of a copy is in the same group.
    """
    with importing("train", "finding near-copies"), ThreadPoolExecutor(os.cpu_count()) as pool:
        import imagehash  # noqa: F401 - before threads do

        looks = list(pool.map(look_of, (example.path for example in examples)))
    members = defaultdict(list)
    for position, root in enumerate(joined(len(examples), _pairs(looks))):
        members[root].append(position)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of so many things, the first one that it hangs together with, over any number of pairs."""
    first = list(range(count))

    def find(item: int) -> int:
        while first[item] != item:
            first[item] = first[first[item]]
            item = first[item]
        return item

    for pair in pairs:
        one, other = sorted(map(find, pair))
        first[other] = one
    return [find(item) for item in range(count)]


def look_of(picture: Path | IO[bytes]) -> Look | None:
    """What a picture looks like, from its file; None: it is missing or broken."""
    import imagehash
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(picture) as opened:
            opened.draft("RGB", (DECODED, DECODED))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    bits = imagehash.phash(upright, hash_size=HASH_SIDE).hash
    small = upright.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
    return Look(bits.ravel().astype(np.float32), np.asarray(small, np.float32).ravel())


def is_copy(one: Look, others: Sequence[Look]) -> bool:
    """Whether a picture is nearly the same as one of others."""
    import numpy as np

    if not others:
        return False
    differing = (one.bits != np.stack([other.bits for other in others])).sum(axis=1)
    near = np.flatnonzero(differing <= BITS).tolist()
    return any(np.abs(one.colours - others[place].colours).mean() <= LEVELS for place in near)


def _pairs(looks: Sequence[Look | None]) -> Iterator[tuple[int, int]]:
    import numpy as np

    seen = [position for position, look in enumerate(looks) if look is not None]
    if not seen:
        return
    known = [look for look in looks if look is not None]
    signs = np.stack([look.bits for look in known]) * 2 - 1
    for start in range(0, len(known), ROWS):
        differing = (HASH_SIDE**2 - signs[start : start + ROWS] @ signs.T) / 2
        for row, column in np.argwhere(differing <= BITS).tolist():
            one, other = start + row, column
            if one < other and np.abs(known[one].colours - known[other].colours).mean() <= LEVELS:
                yield seen[one], seen[other]
