"""`gan-keras-check-export`: would TensorFlow Serving load this version, and answer rightly?"""

import os
import sys
from pathlib import Path

from absl import flags as absl_flags

from gan_keras.cli import flags
from gan_keras.errors import UsageError
from gan_keras.exporting import conformance

PROGRAM = "gan-keras-check-export"
SUMMARY = (
    "Checks an exported version, and the configuration of its server, by every rule of TensorFlow "
    "Serving, without a server; exit status 1 if one does not hold. Usage: gan-keras-check-export "
    "[--serving_dir=serving] PATH, a version folder or a folder of versions."
)
SERVING_DIR = "serving"


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _check(sys.argv[1:] if argv is None else argv))


def _define(values):
    absl_flags.DEFINE_string(
        "serving_dir",
        None,
        "Folder of models.config, batching.config and the like; empty: not checked (default: "
        f"{SERVING_DIR}, if it is there).",
        flag_values=values,
    )


def _check(argv):
    places = [word for word in argv if not word.startswith("-")]
    values = flags.parse([word for word in argv if word.startswith("-")], PROGRAM, SUMMARY, _define)
    if len(places) != 1:
        raise UsageError(f"give one version folder, or folder of versions; see {PROGRAM} --help")
    folder = values.serving_dir
    if folder is None:
        folder = SERVING_DIR if Path(SERVING_DIR, "models.config").is_file() else ""
    elif folder and not os.path.isdir(folder):
        raise UsageError(f"--serving_dir={folder}: no folder; give that of models.config")
    version = conformance.find(places[0])
    flags.import_tensorflow()
    findings = conformance.check(version, folder or None)
    print(version, *conformance.table(findings), sep="\n")
    broken = conformance.failed(findings)
    print(f"{len(broken)} of {len(findings)} rules FAILED" if broken else "all rules hold")
    return 1 if broken else 0
