"""What a measurement was made on."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

from benchmarks import processes

LIBRARIES = ("gan-keras", "tensorflow", "keras", "torch", "numpy")
# Load from which on a machine is called busy: a third of its cores work for somebody else.
BUSY = 1 / 3


def describe():
    """Returns the machine, the versions and the commit, for the JSON file."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "load": load(),
        "gpus": _gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in LIBRARIES if (version := _version(name))},
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
    }


def announce():
    """Prints what `describe` returns, with a warning if the machine is busy; returns it too."""
    description = describe()
    print(*lines(description), sep="\n")
    if said := warning(description["load"], description["cores"]):
        print(said)
    return description


def lines(description):
    """Returns a description for a person to read, in a few lines."""
    versions = ", ".join(f"{name} {number}" for name, number in description["versions"].items())
    changed = description["changed_files"]
    commit = description["commit"][:12] or "none"
    return [
        f"{description['cpu']}, {description['cores']} cores"
        + "".join(f", {gpu}" for gpu in description["gpus"]),
        f"Python {description['python']}, {versions}",
        f"commit {commit}" + (f" and {changed} changed files" if changed else ""),
    ]


def cores():
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load():
    """Returns how many processes wanted to run in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def warning(load, cores):
    """Returns a line that says that the machine is not quiet; None if it is."""
    if load <= BUSY * cores:
        return None
    return (
        f"note: something else runs here (load {load:.1f} on {cores} cores); ratios suffer, and "
        "images/s mean nothing: measure on a quiet machine"
    )


def _cpu():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    names = [line.split(":", 1)[1] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.processor() or platform.machine()


def _gpus():
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return _output(command).splitlines()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments):
    return _output(["git", "-C", str(processes.ROOT), *arguments])


def _output(command):
    """Returns what a command prints; nothing if it cannot."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
