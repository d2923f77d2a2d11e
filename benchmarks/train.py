"""`python -m benchmarks.train`: training steps of this package and of its peers, in turn."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from benchmarks import contestants, machine, pairing, processes, report, work
from benchmarks.bound import FLOPS, SIDE
from gan_keras.cli import flags
from gan_keras.errors import UserError

PROGRAM = "python -m benchmarks.train"
SUMMARY = (
    "Measures training steps of this package and of its peers, in turn and each time in a fresh "
    "process, and prints medians of the ratios within a round."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _compare(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_integer(
        "rounds", 5, "How often everybody is measured.", lower_bound=1, flag_values=values
    )
    absl_flags.DEFINE_float(
        "seconds",
        10.0,
        "Seconds per measurement; the command has its own, see benchmarks/README.md.",
        lower_bound=0.0,
        flag_values=values,
    )
    absl_flags.DEFINE_float(
        "warm_up",
        3.0,
        "Seconds before each measurement, after the first step.",
        lower_bound=0.0,
        flag_values=values,
    )
    absl_flags.DEFINE_enum(
        "network", "dcgan", list(work.NETWORKS), "What is trained.", flag_values=values
    )
    absl_flags.DEFINE_list(
        "contestants",
        [],
        f"Who takes part, by default all: {', '.join(contestants.CONTESTANTS)}.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "output",
        None,
        "JSON file of the results (default: runs/benchmarks/train-<network>.json).",
        flag_values=values,
    )


def _compare(values):
    network = values.network
    chosen, left_out = contestants.choose(network, values.contestants)
    output = report.check_output(values.output or report.default_output(f"train-{network}"))
    described = machine.announce()
    for name, remedy in left_out.items():
        print(f"left out {name}: {contestants.CONTESTANTS[name].library} is missing; {remedy}")
    document = {
        "benchmark": "train",
        "network": network,
        "began": report.now(),
        "machine": described,
        "seconds": values.seconds,
        "warm_up": values.warm_up,
        "contestants": {name: each.about for name, each in chosen.items()},
        "left_out": left_out,
        "flops_per_image": work.flops_per_image(network),
        "rounds": [],
    }

    flags.import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images.npy")
        np.save(images, work.images())

        def measure(number, name):
            result = processes.measure(
                "benchmarks.measure",
                f"--contestant={name}",
                f"--network={network}",
                f"--images={images}",
                f"--warm_up={values.warm_up}",
                f"--seconds={values.seconds}",
            )
            speed = f"{result['images_per_second']:,.0f} images/s"
            print(f"round {number}/{values.rounds}  {name}: {speed}", flush=True)
            return result

        for results in pairing.play(list(chosen), values.rounds, measure):
            check_same_work(results)
            document["rounds"].append(results)
            report.write(output, document)  # What is there is there, whatever comes.

    summary = summarise(document["rounds"], chosen, work.flops_per_image(network))
    document |= {"ended": report.now(), **summary}
    text = describe(summary, chosen, network, values.rounds)
    report.write(output, document, text)
    print(f"\n{text}\n\nwrote {output} and {output.with_suffix('.md')}")


def check_same_work(results):
    """Holds the contestants' numbers of weights against each other.

    Raises:
        UserError: two have different networks: then their speeds must not be compared.
    """
    counts = {name: result["parameters"] for name, result in results.items()}
    counts = {name: each for name, each in counts.items() if each}
    first = next(iter(counts))
    for name, each in counts.items():
        if each != counts[first]:
            raise UserError(
                f"{name} trains {each} weights, {first} {counts[first]}: not the same networks"
            )


def summarise(rounds, chosen, flops_per_image):
    """Reduces rounds to spreads.

    Args:
        rounds: Dicts from name to what `measure.measure` returns.
        chosen: Dict from name to Contestant.
        flops_per_image: Operations that an image costs at least.

    Returns:
        A dict: images_per_second, name -> Spread; ratios, name -> yardstick -> Spread, of the
        ratios within a round; of_bound, name -> Spread, of those to the bound of the dtype; and
        gflops, dtype -> Spread, of the bounds themselves.
    """
    speeds = [
        {name: each["images_per_second"] for name, each in results.items()} for results in rounds
    ]
    names = [name for name in chosen if name not in contestants.BOUNDS]
    return {
        "images_per_second": {
            name: pairing.spread(numbers[name] for numbers in speeds) for name in chosen
        },
        "ratios": {
            name: {
                other: pairing.spread(pairing.ratios(speeds, name, other))
                for other in names
                if chosen[other].yardstick
            }
            for name in names
        },
        "of_bound": {
            name: pairing.spread(pairing.ratios(speeds, name, f"bound-{chosen[name].dtype}"))
            for name in names
        },
        "gflops": {
            each.dtype: pairing.spread(numbers[name] * flops_per_image / 1e9 for numbers in speeds)
            for name, each in chosen.items()
            if name in contestants.BOUNDS
        },
    }


def describe(summary, chosen, network, rounds):
    """Returns the summary as Markdown."""
    yardsticks = [name for name, each in chosen.items() if each.yardstick]
    rows = [
        [
            name,
            report.number(summary["images_per_second"][name]),
            *(report.ratio(ratios[other]) for other in yardsticks),
            report.ratio(summary["of_bound"][name]),
        ]
        for name, ratios in summary["ratios"].items()
    ]
    header = [network, "images/s", *(f"/ {other}" for other in yardsticks), "/ bound"]
    megaflops = work.flops_per_image(network) / 1e6
    bounds = [
        f"Bound {dtype}: a product of two {SIDE}x{SIDE} matrices ({FLOPS / 1e9:.1f} GFLOP) at "
        f"{report.number(gflops)} GFLOP/s; at {megaflops:.1f} MFLOP per image "
        f"{report.number(summary['images_per_second'][f'bound-{dtype}'])} images/s."
        for dtype, gflops in summary["gflops"].items()
    ]
    about = [f"- `{name}`: {each.about}" for name, each in chosen.items()]
    said = f"Median (least–most) of {rounds} rounds; ratios are of measurements of one round."
    return "\n\n".join(
        [report.table(header, rows), said, *bounds, "\n".join(about)],
    )


if __name__ == "__main__":
    sys.exit(run())
