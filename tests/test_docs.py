"""What the documentation says exists: commands and their options, imports, files, public names."""

import argparse
import ast
import importlib
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import converter
from unlite.commands.main import build_parser

pytestmark = pytest.mark.one_setting

ROOT = Path(__file__).parent.parent
TEMPLATES = [*ROOT.glob(".github/*.md"), *ROOT.glob(".github/*/*.yml")]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md"), *TEMPLATES])
FENCED = re.compile(r"^ *```(\w*).*?\n(.*?)^ *```", flags=re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> Iterator[str]:
    """The fenced blocks in a language."""
    return (body for found, body in FENCED.findall(text) if found == language)


def consoles(text: str) -> Iterator[list[str]]:
    """Every call of unlite in consoles, as arguments."""
    for block in blocks(text, "console"):
        for line in block.splitlines():
            if line.startswith("$ unlite "):
                yield shlex.split(line.removeprefix("$ unlite "), comments=True)


def mentions(text: str) -> Iterator[tuple[str, str]]:
    """Every verb of unlite in running text, with what follows it."""
    return iter(re.findall(r"`unlite ([a-z]+)([^`]*)`", FENCED.sub("", text)))


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """A command line's verbs."""
    nested = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(nested[0]) if nested else {}


def options(parser: argparse.ArgumentParser) -> set[str]:
    """A verb's options, and those of its own verbs."""
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*map(options, verbs(parser).values()))


def check_commands(text: str) -> None:
    """Raise for a command that cannot be."""
    parser = build_parser()
    for words in consoles(text):
        try:
            parser.parse_args(words)
        except SystemExit as error:
            if error.code:  # not for --version
                raise AssertionError(f"there is no command: unlite {shlex.join(words)}") from None
    for verb, rest in mentions(text):
        known = verbs(parser)
        assert verb in known, f"there is no command: unlite {verb}"
        unknown = set(re.findall(r"-{1,2}[a-z][a-z-]*", f" {rest}")) - options(known[verb])
        assert not unknown, f"unlite {verb} has no {unknown}"
    unknown = set(re.findall(r"`(--[a-z][a-z-]*)", FENCED.sub("", text))) - options(parser)
    assert not unknown, f"no command has {unknown}"


def check_imports(code: str) -> None:
    """Raise for what is no Python, and for imports of names that do not exist."""
    for statement in ast.walk(ast.parse(textwrap.dedent(code))):
        if isinstance(statement, ast.Import):
            for name in statement.names:
                importlib.import_module(name.name)
        elif isinstance(statement, ast.ImportFrom):
            module = importlib.import_module(str(statement.module))
            missing = {name.name for name in statement.names if not hasattr(module, name.name)}
            assert not missing, f"{module.__name__} has no {missing}"


def check_links(text: str, folder: Path) -> None:
    """Raise for a link to a file that is not there, as a code host would look for it."""
    for target in re.findall(r"\]\((?!#|\w+:)([^)#]+)", FENCED.sub("", text)):
        assert (folder / target).exists(), f"there is no {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_says_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    check_commands(text)
    check_links(text, page.parent)
    for block in blocks(text, "python"):
        check_imports(block)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```console\n$ unlite convart a.tflite\n```\n", "no command: unlite convart"),
        ("```console\n$ unlite convert a.tflite --fast\n```\n", "no command: unlite convert a.tflite --fast"),
        ("so `unlite convart MODEL` does", "no command: unlite convart"),
        ("so `unlite zoo fetch --fast` does", "zoo has no {'--fast'}"),
        ("`--fast` is for the impatient", "no command has {'--fast'}"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_commands(text)


def test_an_import_that_does_not_exist_is_found() -> None:
    with pytest.raises(AssertionError, match=r"converter\.surgery\.heads has no \{'replace_class'\}"):
        check_imports("from converter.surgery.heads import replace_class")


def test_a_link_that_leads_nowhere_is_found() -> None:
    check_links("[here](README.md#install), [there](https://example.org) and [this](#that)", ROOT)
    with pytest.raises(AssertionError, match=r"there is no docs/nowhere\.md"):
        check_links("[nowhere](docs/nowhere.md#at-all)", ROOT)


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    members = {name for line in re.findall(r":members: (.+)", text) for name in line.split(", ")}
    assert {*converter.__all__} - {"UnliteError"} <= members  # converter.errors and parity are there as a whole
    assert ".. automodule:: parity\n   :members:\n" in text
