"""`python -m benchmarks.quality`: how good pictures are after so many minutes, by one judge.

A contestant's minutes run from the start of its process: imports, reading of the data and tracing
are a part of what its user waits for. They pause while it draws pictures, which are scored later.
A preset is one run of `train.py`, from whose checkpoints pictures are drawn afterwards: its rates
fall towards the end of its own steps, and then it is done. The others have no end, and are stopped.
"""

import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks import (
    commands,
    contestants,
    machine,
    processes,
    quality_figure,
    report,
    runner,
    workload,
)
from gan_keras import config as configs

PEERS = {"keras-guide": "DCGAN of the Keras guide", "torch-example": "PyTorch's DCGAN example"}
REAL = "real training images"
METRICS = {
    "frechet_distance": "Fréchet distance\n(lower is better)",
    "precision": "precision\n(higher is better)",
    "recall": "recall\n(higher is better)",
}
CHECKPOINT_STEPS = 100  # Some seconds, which the checkpoint of a minute may be older than it.


class Quality(runner.Benchmark):
    """Scores after so many minutes of training."""

    name = "quality"
    summary = (
        "Trains presets of this package and other people's DCGANs, one after the other, and scores "
        "their pictures after so many minutes. What the output file has is not trained again."
    )
    flags: ClassVar = {
        "rounds": (1, "How often, each time with another seed: 0, 1, ..."),
        "presets": (["mnist_conditional", "mnist"], "Of this package."),
        "contestants": ([], f"Who is trained now; by default all presets, {', '.join(PEERS)}."),
        "minutes": (["1", "2", "5", "10"], "When pictures are scored, in ascending order."),
        "dataset": ("mnist", "What all of them learn, at 28x28 pixels in grey."),
        "samples": (10_000, "Pictures that are scored each time."),
        "extractor": ("classifier", "Features to compare in, or pixels."),
    }
    same = ("minutes", "dataset", "samples", "extractor")

    def __init__(self, values, folder):
        self.values, self.folder = values, folder
        self.minutes = runner.numbers("minutes", values.minutes, 10_000, float)
        wanted = values.contestants or [*values.presets, *PEERS]
        for preset in values.presets:
            configs.from_preset(preset=preset)  # Refuses what is none.
        self.parts = dict.fromkeys([REAL, *contestants.installed(wanted, values.presets)])

    def measure(self, name, number):
        """Trains and scores one contestant: a dict with `marks`, dicts of a time and its scores."""
        folder, data, seed = self.folder / f"{name}-{number}", self.values.dataset, number - 1
        folder.mkdir()
        found = {"machine": machine.look(), "seed": seed}
        marks = [{"minutes": 0.0, "step": 0}]
        if name in self.values.presets:
            marks = train_preset(name, data, self.minutes, seed, folder)
        elif name != REAL:
            images = str(self.folder / "images.npy")
            processes.measure("benchmarks.workload.save_images", dataset=data, path=images)
            about = {"name": name, "images": images, "minutes": self.minutes, "seed": seed}
            about |= {"count": self.values.samples, "folder": str(folder), "began": time.time()}
            marks = processes.measure("benchmarks.quality.train_peer", **about)
        judge = {"dataset": data, "extractor": self.values.extractor, "count": self.values.samples}
        scored = processes.measure("benchmarks.quality.score", marks=marks, **judge)
        return found | {"marks": scored}

    def line(self, result):
        return (
            "; ".join(" ".join(_cells(mark)) for mark in result["marks"]) or "no pictures by then"
        )

    def table(self, rounds):
        rows = [
            [name, str(result["seed"]), *_cells(mark)]
            for results in rounds
            for name, result in results.items()
            for mark in result["marks"]
        ]
        header = ["", "seed", "minutes", "step", "Fréchet distance", "precision", "recall"]
        return report.table(header, rows)

    def files(self, rounds):
        labels = PEERS | {name: f"preset {name}" for name in self.values.presets}
        return {".png": quality_figure.draw(rounds, self.minutes, METRICS, labels, REAL)}


def _cells(mark):
    scores = [mark[metric] for metric in METRICS]
    texts = [f"{each['value']:.3g} [{each['low']:.3g}, {each['high']:.3g}]" for each in scores]
    return [f"{mark['minutes']:.2f}", f"{mark['step']:,}", *texts]


def train_preset(preset, dataset, minutes, seed, folder):
    """Runs `train.py` to its end, or for as many minutes as are asked for; returns the marks.

    Raises:
        UserError: the run failed.
    """
    flags = {"preset": preset, "dataset": dataset, "seed": seed, "workdir": folder / "run"}
    flags |= {"checkpoint_every": CHECKPOINT_STEPS, "keep_checkpoints": 10**6}
    began = time.time()
    processes.package(*commands.train_arguments(**flags), seconds=60 * minutes[-1])
    sealed = (folder / "run" / "checkpoints").glob("ckpt-*.sha256")
    saved = {int(path.stem.split("-")[1]): path.stat().st_mtime - began for path in sealed}
    return [mark | {"run": str(folder / "run")} for mark in marks_of(saved, minutes)]


def marks_of(saved, minutes):
    """Returns the marks of a run: for each minute the newest checkpoint that was there, once.

    Args:
        saved: Steps of checkpoints -> seconds from the start.
        minutes: Ascending.
    """
    newest = [max((s for s in saved if saved[s] <= 60 * each), default=None) for each in minutes]
    return [{"minutes": saved[s] / 60, "step": s} for s in dict.fromkeys(newest) if s is not None]


class Marks:
    """A contestant's clock, which stands still while pictures are drawn.

    Args:
        minutes: When that is, ascending.
        began: When its time began, in seconds.
        draw: Called with a minute; returns the file of the pictures.
        now: Returns the time in seconds.
    """

    def __init__(self, minutes, began, draw, now=time.time):
        self.left, self.began, self.draw, self.now = list(minutes), began, draw, now
        self.step, self.marks = 0, []

    def tick(self, steps=1):
        """Tells that a call of so many steps is over; returns whether to go on."""
        self.step += steps
        now = self.now()
        if now - self.began >= 60 * self.left[0]:
            mark = {"minutes": (now - self.began) / 60, "step": self.step}
            self.marks.append(mark | {"pictures": self.draw(self.left.pop(0))})
            self.began += self.now() - now
        return bool(self.left)


def train_peer(name, images, minutes, count, folder, seed, began):
    """Trains a contestant in this process until the last minute; returns the marks."""
    if contestants.CONTESTANTS[name].library == "torch":
        from torch import manual_seed
    else:
        from keras.utils import set_random_seed as manual_seed
    manual_seed(seed)
    built = contestants.build(name, workload.images(images))

    def draw(minute):
        path = Path(folder, f"{minute:g}.npy")
        np.save(path, built.pictures(count))
        return str(path)

    clock = Marks(minutes, began, draw)
    built.run(clock)
    return clock.marks


def score(marks, dataset, count, extractor):
    """Scores what each mark has: a file of pictures, a run's folder, or nothing: then real ones.

    Returns the times with the scores: for each metric a dict with `value`, `low` and `high`.
    """
    from gan_keras.drawing import to_uint8
    from gan_keras.evaluation.image_scores import ImageScores

    config = configs.from_preset(**workload.overrides(dataset=dataset))
    judge, scored = ImageScores(config, METRICS, count, extractor, None, seed=0), []
    for mark in marks:
        if "run" in mark:
            pictures = to_uint8(_drawn(mark["run"], mark["step"], count))
        elif "pictures" in mark:
            pictures = to_uint8(np.load(mark["pictures"]))
        else:
            pictures = judge.training.sample(count, 0)
        found = judge.compute("frechet_distance", pictures)
        found |= judge.compute("precision_and_recall", pictures)
        scored.append({"minutes": mark["minutes"], "step": mark["step"]})
        for metric in METRICS:
            each = found[metric][0]
            scored[-1][metric] = {"value": each.estimate, "low": each.low, "high": each.high}
    return scored


def _drawn(run, step, count):
    """Pictures of a run as they are served: classes as often as they are in the data."""
    from gan_keras import checkpoints, networks
    from gan_keras.evaluation.judge import generate

    config = configs.load(run)
    classes = len(configs.load_classes(run)) if config.labelled else 0
    generator = networks.generator(config, classes)
    checkpoints.restore_generator(generator, run, step)
    return generate(generator, config.prior, count, seed=0)


if __name__ == "__main__":
    sys.exit(runner.run(Quality))
