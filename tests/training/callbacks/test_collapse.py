"""The watch on constructed games: what is healthy is left in peace, what is sick is told once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_keras.cli import train
from gan_keras.game.gan import GAN
from gan_keras.game.priors import PRIORS
from gan_keras.metrics import duplicates
from gan_keras.training.callbacks import Collapse, collapse
from tests.conftest import SMALL, reports

HEALTHY = {"d_fake": 0.4}


def dense(name, units, kernel):
    inputs = keras.Input((2,))
    layer = keras.layers.Dense(units)
    network = keras.Model(inputs, layer(inputs), name=name)
    layer.kernel.assign(kernel)
    return network


class Game:
    """A watch on G(z) = z A on data of N(0, I), and D's logit x . b."""

    def __init__(self, generator=((1.0, 0.0), (0.0, 1.0)), discriminator=((1.0,), (-2.0,)), **more):
        self.gan = GAN(dense("g", 2, generator), dense("d", 1, discriminator))
        self.lines = []
        real = np.random.default_rng(0).normal(size=(256, 2)).astype("float32")
        self.watch = Collapse(real, 500, 100, **{"stop": False, **more})
        self.watch.set_model(self.gan)
        self.gan.stop_training = False
        self.watch.on_train_begin()

    def go_on(self, to, logs=HEALTHY):
        for step in range(self.gan.step + 100, to + 1, 100):
            self.gan.steps.assign(step)
            with reports() as lines:
                self.watch.on_train_batch_end(0, logs)
            self.lines += lines


def test_a_generator_that_has_the_data_is_left_in_peace():
    game = Game()
    game.go_on(5000)
    assert game.lines == []
    assert not game.watch.warnings
    assert not game.gan.stop_training


def test_samples_that_are_all_equal_are_told_once_and_their_recovery():
    game = Game(generator=((0.0, 0.0), (0.0, 0.0)))
    game.go_on(1400)
    assert game.lines == []  # As at the start of many a run.
    game.go_on(3000)
    (line,) = game.lines
    assert line == (
        "step 1,500: warning: 100% of the pairs of 64 samples are near-duplicates, of real pairs "
        "1%, since step 500"
    )
    assert list(game.watch.warnings) == ["near-duplicates"]
    game.gan.generator.layers[1].kernel.assign(np.eye(2))
    game.go_on(3500)
    assert game.lines[1:] == ["step 3,500: recovered from near-duplicates"]
    assert not game.watch.warnings


@pytest.mark.parametrize(("mean", "end"), [(0.0, 0), (0.009, 0), (0.991, 1), (1.0, 1)])
def test_a_discriminator_that_is_never_in_doubt(mean, end):
    game = Game()
    game.go_on(1000, {"d_fake": mean})
    assert game.lines == []
    game.go_on(1200, {"d_fake": mean})
    (line,) = game.lines
    assert line.startswith(f"step 1,100: warning: D(G(z)) is stuck at {end}: ")
    game.go_on(1300)
    assert game.lines[1:] == ["step 1,300: recovered from D(G(z)) stuck"]


def test_one_good_interval_starts_the_count_again():
    game = Game()
    for _ in range(3):
        game.go_on(game.gan.step + 1000, {"d_fake": 0.0})
        game.go_on(game.gan.step + 100)
    assert game.lines == []


def test_a_generator_without_gradient():
    game = Game(discriminator=((0.0,), (0.0,)))
    game.go_on(1500)
    (line,) = game.lines
    assert line == (
        "step 1,500: warning: the generator gets no gradient: its norm is 0, that of the weights "
        "1, since step 500"
    )


def test_scalars_are_the_measures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    game = Game(writer=tf.summary.create_file_writer(str(tmp_path)))
    game.go_on(500)
    game.watch.writer.flush()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    found = {
        tag: make_ndarray(events.Tensors(f"collapse/{tag}")[0].tensor_proto)
        for tag in ("near_duplicates", "g_gradient", "warnings")
    }
    z = PRIORS["normal"]((64, 2), seed=[0, -1]).numpy()
    assert found["near_duplicates"] == pytest.approx(duplicates.share(z, game.watch.near))
    # d/dA of mean softplus(-z A b) is -mean (1 - D) z^T b^T, and of the bias -mean (1 - D) b.
    b = np.array([1.0, -2.0])
    doubt = 1 / (1 + np.exp(z @ b))
    gradient = np.append(np.outer(doubt @ z, b), doubt.sum() * b) / 64
    assert found["g_gradient"] == pytest.approx(np.linalg.norm(gradient) / np.sqrt(2), rel=1e-5)
    assert found["warnings"] == 0


def test_stop_ends_the_training_only_when_asked():
    for stop in (False, True):
        game = Game(generator=((0.0, 0.0), (0.0, 0.0)), stop=stop)
        game.go_on(1500)
        assert game.gan.stop_training is stop


def test_a_run_that_is_to_stop_saves_and_tells_in_one_line(tmp_path, capsys, monkeypatch):
    """A DCGAN that has learned nothing yet makes one picture; here nobody waits for it."""
    monkeypatch.setattr(collapse, "PATIENCE", 0)
    command = [*SMALL, "--sample_every=2", "--on_collapse=stop", "--steps=50"]
    assert train.run([*command, f"--workdir={tmp_path}"]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("gan-keras-train: --on_collapse=stop: saved and stopped at step 2: ")
    assert "near-duplicates" in line
    assert line.endswith("or resume with --on_collapse=warn")
    assert printed.out.count("step 2: warning: ") == 1
    assert tf.train.latest_checkpoint(str(tmp_path / "checkpoints")).endswith("ckpt-2")
