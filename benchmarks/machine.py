"""What a measurement was made on."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

from benchmarks import processes

LIBRARIES = ("gan-keras", "tensorflow", "keras", "torch", "numpy")
BUSY = 1 / 3  # Load per core above which a machine counts as busy.


def announce():
    """Prints the machine, the versions and the commit, and returns them for the JSON file."""
    cores, load = len(os.sched_getaffinity(0)), round(os.getloadavg()[0], 2)
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    gpus = _output(query).splitlines() if shutil.which(query[0]) else []
    versions = {name: version for name in LIBRARIES if (version := _version(name))}
    commit, changed = _git("rev-parse", "HEAD"), len(_git("status", "--porcelain").splitlines())
    cpu, python = _cpu(), platform.python_version()
    print(cpu, f"{cores} cores", *gpus, sep=", ")
    print(
        f"Python {python}", *(f"{name} {version}" for name, version in versions.items()), sep=", "
    )
    print(f"commit {commit[:12] or 'none'}" + (f" and {changed} changed files" if changed else ""))
    if line := warning(load, cores):
        print(line)
    return {
        "cpu": cpu,
        "cores": cores,
        "load": load,
        "gpus": gpus,
        "system": platform.platform(),
        "python": python,
        "versions": versions,
        "commit": commit,
        "changed_files": changed,
    }


def warning(load, cores):
    """Returns a warning if other processes use the machine; else None."""
    if load <= BUSY * cores:
        return None
    return (
        f"warning: load {load:.1f} on {cores} cores: other processes are running; ratios are less "
        "exact, and images/s mean nothing; measure on an idle machine"
    )


def _cpu():
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments):
    return _output(["git", "-C", str(processes.ROOT), *arguments])


def _output(command):
    """Returns what a command prints; nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
