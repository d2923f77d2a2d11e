"""`python -m benchmarks.sample`: the ways to get pictures out of a generator, in turn."""

import sys
import tempfile

from absl import flags as absl_flags

from benchmarks import exported, machine, pairing, processes, report, ways, work
from gan_keras.cli import flags

PROGRAM = "python -m benchmarks.sample"
SUMMARY = (
    "Measures pictures per second of the exported generator, of Keras' own ways and of the "
    "signatures for seeds, in turn and each time in a fresh process."
)
REFERENCES = ("predict", "eager", "keras-export", "exported")


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_integer(
        "rounds", 5, "How often everything is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_float(
        "seconds", 3.0, "Seconds per batch size.", lower_bound=0.0, flag_values=values
    )
    absl_flags.DEFINE_float(
        "warm_up", 1.0, "Seconds before each of them.", lower_bound=0.0, flag_values=values
    )
    absl_flags.DEFINE_enum(
        "network", "dcgan", list(work.NETWORKS), "Whose generator.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "output",
        None,
        "JSON file of the results (default: runs/benchmarks/sample-<network>.json).",
        flag_values=values,
    )


def _compare(values):
    network = values.network
    output = report.check_output(values.output or report.default_output(f"sample-{network}"))
    described = machine.announce()
    document = {
        "benchmark": "sample",
        "network": network,
        "began": report.now(),
        "machine": described,
        "seconds": values.seconds,
        "warm_up": values.warm_up,
        "ways": ways.ABOUT,
        "rounds": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        exported.make(folder, network)
        processes.measure("benchmarks.ways", f"--folder={folder}")

        def measure(number, way):
            result = processes.measure(
                "benchmarks.ways",
                f"--way={way}",
                f"--folder={folder}",
                f"--warm_up={values.warm_up}",
                f"--seconds={values.seconds}",
            )
            speeds = result["images_per_second"].items()
            said = ", ".join(f"{speed:,.0f} images/s at batch {size}" for size, speed in speeds)
            print(f"round {number}/{values.rounds}  {way}: {said}", flush=True)
            return result

        for results in pairing.play(list(ways.WAYS), values.rounds, measure):
            document["rounds"].append(results)
            report.write(output, document)

    summary = summarise(document["rounds"])
    document |= {"ended": report.now(), **summary}
    text = describe(summary, network, values.rounds)
    report.write(output, document, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")


def summarise(rounds):
    """Reduces rounds to spreads.

    Args:
        rounds: Dicts from way to what `ways.measure` returns.

    Returns:
        A dict: images_per_second, batch size -> way -> Spread; ratios, batch size -> way ->
        reference -> Spread, of the ratios within a round; and differences, way -> the largest of
        all rounds.
    """
    names = list(rounds[0])
    sizes = list(rounds[0][names[0]]["images_per_second"])
    speeds = {
        size: [
            {way: result["images_per_second"][size] for way, result in results.items()}
            for results in rounds
        ]
        for size in sizes
    }
    return {
        "images_per_second": {
            size: {way: pairing.spread(numbers[way] for numbers in each) for way in names}
            for size, each in speeds.items()
        },
        "ratios": {
            size: {
                way: {
                    other: pairing.spread(pairing.ratios(each, way, other))
                    for other in REFERENCES
                    if other in names
                }
                for way in names
            }
            for size, each in speeds.items()
        },
        "differences": {
            way: max(results[way]["difference"] for results in rounds) for way in names
        },
    }


def describe(summary, network, rounds):
    """Returns the summary as Markdown."""
    parts = []
    for size, speeds in summary["images_per_second"].items():
        ratios = summary["ratios"][size]
        references = list(next(iter(ratios.values())))
        rows = [
            [
                way,
                report.number(speed),
                *(report.ratio(ratios[way][other]) for other in references),
            ]
            for way, speed in speeds.items()
        ]
        header = [f"{network}, batch {size}", "images/s", *(f"/ {other}" for other in references)]
        parts.append(report.table(header, rows))
    parts.append(
        f"Median (least–most) of {rounds} rounds; ratios are of measurements of one round."
    )
    rows = [
        [way, f"{largest:.0f} of 255" if way in ways.OF_SEEDS else f"{largest:.1e}"]
        for way, largest in summary["differences"].items()
    ]
    parts.append(report.table(["against eager", "largest difference of a pixel"], rows))
    parts.append("\n".join(f"- `{way}`: {about}" for way, about in ways.ABOUT.items()))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(run())
