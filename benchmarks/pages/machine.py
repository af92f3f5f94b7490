"""What was measured on."""

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = {"Keras": "keras", "TensorFlow": "tensorflow", "LiteRT": "ai-edge-litert"}


def machine(cpuinfo: Path = CPUINFO) -> str:
    """The processor, how many cores of it there are, what runs on them, and the date."""
    versions = [f"{name} {version(package)}" for name, package in PACKAGES.items()]
    runs = ", ".join([f"Python {platform.python_version()}", *versions])
    return f"{date.today().isoformat()}, {os.cpu_count()} cores of {processor(cpuinfo)}; {runs}"


def processor(cpuinfo: Path) -> str:
    """The model's name as Linux has it, else what Python knows."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
