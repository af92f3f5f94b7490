"""Markdown pages with measured parts between marks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; columns that start with `#` are right-aligned."""
    lines = [[name.lstrip("#") for name in columns], ["--:" if name.startswith("#") else "---" for name in columns]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*lines, *rows])


def filled(text: str, name: str, part: str) -> str:
    """The page with a part between its marks.

    Raises:
        ValueError: It has no such marks.
    """
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    first = text.index(start) + len(start)
    return f"{text[:first]}{part}\n{text[text.index(end, first) :]}"
