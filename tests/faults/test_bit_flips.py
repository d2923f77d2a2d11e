"""A thousand flipped bits in all that a run reads: found and named, made again, or harmless.

GAN_KERAS_FLIPS asks for another number.
"""

import logging
import os
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from gan_keras import checkpoints, data
from gan_keras import config as configs
from gan_keras.errors import UserError
from gan_keras.evaluation import classifier, classifier_training, feature_cache, score_cards
from gan_keras.exporting import digests
from gan_keras.training import run as training
from tests.evaluation.test_feature_cache import IMAGES, Sums
from tests.evaluation.test_score_cards import card

pytestmark = pytest.mark.faults
FLIPS = int(os.environ.get("GAN_KERAS_FLIPS", "1000"))


class Kind:
    """Files of one kind in a folder, and how they are read.

    Args:
        folder: All of it is put back before each flip.
        names: Patterns of the files in it, one of which gets a flipped bit.
        read: Called without arguments; returns what the files hold, as arrays and plain values.
        older: Results that may come instead, if the corrupt file is reported.
    """

    def __init__(self, folder, names, read, older=()):
        self.folder, self.names, self.read, self.older = folder, names, read, older

    def flip(self, chance):
        """Flips a random bit; returns the file and the number of the bit."""
        paths = sorted(path for name in self.names for path in self.folder.glob(name))
        assert len(paths) >= len(self.names)
        path = chance.choice(paths)
        content = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        return path, bit


def checkpoint(small_run, tmp_path):
    """Reads as training does, the whole GAN."""
    run = tmp_path / "checkpoint"
    shutil.copytree(small_run / "checkpoints", run / "checkpoints")
    gan = training.build(configs.load(small_run))

    def read():
        checkpoints.restore_latest(checkpoints.manager(gan, run, keep=3))
        return [np.asarray(weight) for weight in (*gan.get_weights(), gan.step)]

    newest = read()
    shutil.move(run / "checkpoints", run / "kept")
    (run / "checkpoints").mkdir()
    for path in (run / "kept").glob("ckpt-20.*"):
        shutil.copy(path, run / "checkpoints")
    older = read()
    assert not same(newest, older)
    shutil.rmtree(run / "checkpoints")
    shutil.move(run / "kept", run / "checkpoints")
    return Kind(run / "checkpoints", ["ckpt-30.*", "checkpoint"], read, [older])


def old_checkpoint(small_run, tmp_path):
    """Without digests, as runs of earlier versions have it; reads as an export does."""
    run = tmp_path / "old"
    shutil.copytree(small_run / "checkpoints", run / "checkpoints")
    for path in run.glob("*/*.sha256"):
        path.unlink()
    generator = training.build(configs.load(small_run)).generator

    def read():
        step = checkpoints.restore_generator(generator, run)
        return [step, *generator.get_weights()]

    older = []
    for step in (10, 20):
        checkpoints.restore_generator(generator, run, step)
        older.append([step, *generator.get_weights()])
    return Kind(run / "checkpoints", ["ckpt-30.*", "checkpoint"], read, older)


def pictures(small_run, tmp_path):
    """What a run keeps of its pictures."""
    folder = tmp_path / "painted"
    folder.mkdir()
    for number in range(23):
        Image.new("L", (4, 4), 10 * number).save(folder / f"{number:02}.png")
    (folder / "note.png").write_text("no picture")
    fields = {"dataset": f"folder:{folder}", "image_size": 4, "channels": 1}
    config = configs.from_preset("pictures", **fields)

    def read():
        images = data.load(config, cache_dir=tmp_path / "data", resumes=True)
        return [images.rows.read(np.arange(images.count)), images.skipped]

    read()
    return Kind(tmp_path / "data", ["*.uint8", "*.json"], read)


def configuration(small_run, tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    shutil.copy(small_run / configs.CONFIG_FILE, folder)
    return Kind(folder, [configs.CONFIG_FILE], lambda: [configs.load(folder)])


def classes(small_run, tmp_path):
    configs.save_classes(["Ärmel", "cat", "0"], tmp_path / "classes")
    folder = tmp_path / "classes"
    return Kind(folder, [configs.CLASSES_FILE], lambda: configs.load_classes(folder))


def cards(small_run, tmp_path):
    path = score_cards.save(card(), tmp_path / "scores")
    return Kind(path.parent, ["*.json"], lambda: score_cards.find(path.parent))


def features(small_run, tmp_path):
    folder = tmp_path / "features"

    def read():
        return [feature_cache.features(Sums(), IMAGES, folder)]

    read()
    return Kind(folder, ["*.npz"], read)


def judge(small_run, tmp_path):
    """The classifier by whose features images are scored."""
    folder = tmp_path / "classifier"
    digits = configs.from_preset("digits", image_size=8)
    classifier_training.make(digits, folder / "digits.npz", epochs=1)

    def read():
        made = classifier.load(folder / "digits.npz")
        return [made.about, *made.network.get_weights()]

    return Kind(folder, ["*.npz"], read)


def version(small_run, tmp_path):
    """An exported version: graph, weights, warm-up requests and model card."""
    from gan_keras import exporting

    folder = exporting.export(small_run, tmp_path / "exports")

    def read():
        digests.check(folder)
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return [digests.read_card(folder), [p.read_bytes() for p in paths if p.suffix != ".json"]]

    read = as_user_error(read, folder)
    return Kind(folder, ["*.pb", "variables/*", "assets.extra/*", "model_card.json"], read)


def as_user_error(read, folder):
    """As `gan_keras.load` and the server report what `digests` has found."""

    def reported():
        try:
            return read()
        except ValueError as error:
            raise UserError(f"{folder}/{error}") from None

    return reported


KINDS = (
    *(checkpoint, old_checkpoint, pictures, configuration),
    *(classes, cards, features, judge, version),
)


def attempt(read):
    """Returns what was read, or the UserError; any other one fails the test."""
    try:
        return read()
    except UserError as error:
        return error


def same(one, other):
    """Whether two results are equal, arrays to the last bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("make", KINDS)
def test_no_flipped_bit_is_silently_another_result(make, small_run, tmp_path, caplog, capsys):
    caplog.set_level(logging.WARNING)
    kind, chance = make(small_run, tmp_path), random.Random(make.__name__)
    shutil.copytree(kind.folder, tmp_path / "whole")
    expected, ends = kind.read(), dict.fromkeys(("named", "older", "made again", "harmless"), 0)
    for _ in range(FLIPS // len(KINDS)):
        shutil.rmtree(kind.folder)
        shutil.copytree(tmp_path / "whole", kind.folder)
        path, bit = kind.flip(chance)
        flipped = path.read_bytes()
        caplog.clear()
        result, told = attempt(kind.read), " ".join(caplog.messages)
        if isinstance(result, UserError):
            end, told = "named", str(result)
        elif same(result, expected):
            end = "made again" if path.read_bytes() != flipped else "harmless"
        else:
            assert any(same(result, older) for older in kind.older), (path, bit)
            end = "older"
        if end in ("named", "older"):
            # A checkpoint is named by its step, whichever of its files is corrupt.
            assert path.name.split(".")[0] in told, (path, bit, told)
            assert str(kind.folder) in told, (path, bit, told)
            assert "\n" not in told, (path, bit, told)
        ends[end] += 1
    with capsys.disabled():
        print(f"\n{make.__name__}: " + ", ".join(f"{ends[end]} {end}" for end in ends), end="")
    assert ends["named"] + ends["older"] + ends["made again"]
