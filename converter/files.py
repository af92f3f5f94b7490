"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from converter.errors import OutputNotWritten

SUFFIX = ".keras"


def check_output(path: str | os.PathLike[str], suffix: str = SUFFIX) -> Path:
    """Check that `path` can become a file with `suffix`: before the long work, not after it.

    Raises:
        OutputNotWritten: It has another suffix, or its folder is missing or cannot be written.
    """
    path = Path(path)
    if not "".join(path.suffixes).endswith(suffix):
        raise OutputNotWritten(f"{path} does not end in {suffix}", hint=f"try {path.stem or 'model'}{suffix}")
    if not path.parent.is_dir():
        raise OutputNotWritten(f"the folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    if path.is_dir():
        raise OutputNotWritten(f"{path} cannot be written: it is a folder")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()  # permissions alone do not say it
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be written: {error.strerror}") from None
    return path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a place to write to, from which a file can be moved to `path` in one step; in the end it is gone.

    Raises:
        OutputNotWritten: It cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
            yield Path(scratch) / path.name
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be written: {error}") from None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; what is there in the end becomes `path`, unless something went wrong.

    Raises:
        OutputNotWritten: It cannot be written; what was at `path` before is untouched.
    """
    with beside(path) as whole:
        yield whole
        whole.replace(path)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files that belong together: each whole, and none before all of them have been written.

    Raises:
        OutputNotWritten: One cannot be written.
    """
    with ExitStack() as stack:
        for path, content in contents.items():
            stack.enter_context(whole_file(path)).write_bytes(content)
