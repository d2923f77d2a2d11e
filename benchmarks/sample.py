"""`python -m benchmarks.sample`: the ways to get pictures out of a generator, in turn."""

import sys
from typing import ClassVar

from benchmarks import exported, processes, report, runner, workload
from benchmarks.sampling_methods import BATCH_SIZES, METHODS

REFERENCES = ("predict", "eager", "keras-export", "exported")


class Sample:
    """Pictures per second at several batch sizes; tests hold that the pictures are the same."""

    name = "sample"
    summary = (
        "Measures pictures per second of the exported generator, of Keras' own ways and of the "
        "signatures for seeds, in turn and each time in a fresh process."
    )
    flags: ClassVar = {
        "seconds": (3.0, "Seconds per batch size."),
        "warm_up": (1.0, "Seconds before each of them."),
        "network": ("dcgan", "Whose generator.", workload.NETWORKS),
    }

    def __init__(self, values, folder):
        exported.make(folder, values.network)
        self.arguments = {"folder": str(folder)}
        processes.measure("benchmarks.sampling_methods.prepare", **self.arguments)
        self.arguments |= {"warm_up": values.warm_up, "seconds": values.seconds}
        self.network = values.network
        self.names = list(METHODS)
        self.facts = {"methods": {name: each.about for name, each in METHODS.items()}}

    def measure(self, name):
        return processes.measure("benchmarks.sampling_methods.measure", name=name, **self.arguments)

    def line(self, result):
        sizes = map(str, BATCH_SIZES)
        return ", ".join(f"{result[size]:,.0f} images/s at batch {size}" for size in sizes)

    def table(self, rounds):
        parts = [self._table_of(rounds, str(size)) for size in BATCH_SIZES]
        parts.append(report.caption(rounds))
        parts.append("\n".join(f"- `{name}`: {METHODS[name].about}" for name in self.names))
        return "\n\n".join(parts)

    def _table_of(self, rounds, size):
        rows = [
            [
                name,
                report.value(rounds, name, size),
                *(report.ratio(rounds, name, other, size) for other in REFERENCES),
            ]
            for name in self.names
        ]
        header = [f"{self.network}, batch {size}", "images/s"]
        return report.table(header + [f"/ {other}" for other in REFERENCES], rows)


if __name__ == "__main__":
    sys.exit(runner.run(Sample))
