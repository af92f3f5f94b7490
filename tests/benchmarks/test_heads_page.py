"""The page about heads has a place for everything that is measured."""

import pytest

from benchmarks.pages.page import DOCS, filled

pytestmark = pytest.mark.one_setting


@pytest.mark.parametrize("name", ["recommendation", "designs", "runtimes", "curves", "exports"])
def test_the_page_has_a_place(name: str) -> None:
    text = (DOCS / "heads.md").read_text(encoding="utf-8")
    once = filled(text, name, "| new |")
    assert "| new |" in once
    assert filled(filled(text, name, "old"), name, "| new |") == once
    assert once.count("<!--") == text.count("<!--")


def test_a_part_without_a_place() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        filled("no marks", "designs", "")


def test_what_is_committed_was_measured() -> None:
    text = (DOCS / "heads.md").read_text(encoding="utf-8")
    assert "-->\n<!-- end" not in text
    assert (DOCS / "heads.svg").stat().st_size < 100_000
