"""What labels may be called: each is a folder, on any file system, and a name in a model."""

import unicodedata
from collections.abc import Sequence

from converter.errors import BadData
from unlite.training.data.folders import NOTHING
from unlite.training.data.pictures import SIDES

LONGEST = 40
# What file systems refuse, or what would be markup or a path.
REFUSED = set('<>:"/\\|?*')
MOST = 200


def is_nothing(label: str) -> bool:
    """Whether it stands for pictures in which nothing is shown."""
    return label.lower() in NOTHING


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as they are kept.

    Raises:
        BadData: One cannot be the name of a folder, two are the same but for their case, or there are none.
    """
    made = tuple(_checked(label) for label in labels)
    if not made or len(made) > MOST:
        raise BadData(f"{len(made)} labels", hint=f"name 1 to {MOST}, such as fist,palm,none")
    first: dict[str, str] = {}
    for label in made:
        other = first.get(label.casefold())
        if other is not None:
            raise BadData(f"labels {other!r} and {label!r} would be one folder", hint="name each once")
        first[label.casefold()] = label
    return made


def check_person(name: str) -> str:
    """Name of a person as it is kept, which is a folder as well; empty: not said.

    Raises:
        BadData: It cannot be the name of a folder.
    """
    return _checked(name, "person") if name.strip() else ""


def _checked(given: str, what: str = "label") -> str:
    name = unicodedata.normalize("NFC", given).strip()
    if not name:
        raise BadData(f"a {what} without a name", hint="give it one")
    if len(name) > LONGEST:
        raise BadData(f"{what} {name[:LONGEST]!r}… has {len(name)} characters", hint=f"at most {LONGEST}")
    wrong = sorted(REFUSED & set(name)) + [letter for letter in name if not letter.isprintable()]
    if wrong:
        raise BadData(
            f"{what} {name!r} cannot be a folder: it has {wrong[0]!r}", hint="letters, digits, - and _ will do"
        )
    if name[0] == "." or name[-1] == ".":
        raise BadData(f"{what} {name!r} begins or ends with a dot", hint="leave it out")
    if name.casefold() in SIDES:
        raise BadData(f"{what} {name!r} is what a side of a split is called", hint="choose another name")
    return name
