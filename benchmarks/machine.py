"""What a measurement was made on."""

import importlib.metadata
import os
import platform
import subprocess

from benchmarks import processes

LIBRARIES = ("gan-keras", "tensorflow", "keras", "torch", "numpy")
BUSY = 1 / 3  # Load per core above which a machine counts as busy.


def announce():
    """Prints the machine, the versions and the commit, and returns them for the JSON file."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    installed = importlib.metadata.distributions()
    changed = len(_git("status", "--porcelain").splitlines())
    found = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "gpus": _output(query).splitlines(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {each.name: each.version for each in installed if each.name in LIBRARIES},
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": changed,
    }
    print(found["cpu"], f"{found['cores']} cores", *found["gpus"], sep=", ")
    versions = [f"{name} {version}" for name, version in found["versions"].items()]
    print(f"Python {found['python']}", *versions, sep=", ")
    changes = f" and {changed} changed files" if changed else ""
    print(f"commit {found['commit'][:12] or 'none'}{changes}")
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


def _cpu():
    lines = _output(["cat", "/proc/cpuinfo"]).splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(*arguments):
    return _output(["git", "-C", str(processes.ROOT), *arguments])


def _output(command):
    """Returns what a command prints; nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
