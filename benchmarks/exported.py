"""A generator to sample from: a short run and its export, by the package's own commands."""

from pathlib import Path

from benchmarks import command, processes, workload

# Speed does not depend on what a generator has learned, but how far two ways to run it differ does:
# its normalisation must have settled, and its pixels must not all be near 0.
STEPS = 100


def make(folder, network, steps=STEPS):
    """Trains a network for a few steps and exports it, in an existing folder.

    Returns the Path of the run, and those of the folders of its exports in float32 and in bfloat16.
    """
    run, export, short = (Path(folder, name) for name in ("run", "export", "export-bfloat16"))
    flags = workload.overrides(network)
    processes.package(*command.train_arguments(**flags, workdir=run, steps=steps))
    processes.package("export.py", f"--workdir={run}", f"--export_dir={export}")
    processes.package("export.py", f"--workdir={run}", f"--export_dir={short}", "--dtype=bfloat16")
    return run, export, short
