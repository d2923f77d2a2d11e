"""What a measurement was made on."""

import importlib.metadata
import os
import platform
import subprocess

from benchmarks import processes

LIBRARIES = ("gan-keras", "tensorflow", "keras", "torch", "numpy")
GIT = ("git", "-C", str(processes.ROOT))
GPUS = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
BUSY = 1 / 3  # Load per core above which a machine counts as busy.


def look():
    """Returns the machine, the versions and the commit, as a dict of what JSON has."""
    cpu = [line for line in _output("cat", "/proc/cpuinfo").splitlines() if "model name" in line]
    installed = importlib.metadata.distributions()
    return {
        "cpu": cpu[0].split(":", 1)[1].strip() if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "gpus": _output(*GPUS).splitlines(),
        "python": platform.python_version(),
        "versions": {each.name: each.version for each in installed if each.name in LIBRARIES},
        "commit": _output(*GIT, "rev-parse", "HEAD"),
        "changed_files": len(_output(*GIT, "status", "--porcelain").splitlines()),
    }


def announce():
    """Prints the same, and returns it."""
    found = look()
    for name, value in found.items():
        print(f"{name}: {value}")
    if line := warning(found["load"], found["cores"]):
        print(line)
    return found


def warning(load, cores):
    """Returns a warning if other processes use the machine; else None."""
    if load <= BUSY * cores:
        return None
    return (
        f"warning: load {load:.1f} on {cores} cores: other processes are running; ratios are less "
        "exact, and images/s mean nothing; measure on an idle machine"
    )


def _output(*command):
    """What a command prints; nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
