"""What ends a run between two steps, and what cannot: the last step is saved before."""

from types import SimpleNamespace

import numpy as np
import pytest

from gan_keras.cli import train
from gan_keras.errors import UserError
from gan_keras.evaluation import judge
from gan_keras.training import callbacks
from tests.conftest import SMALL


class Saved:
    """Stands for the checkpoints: the steps that were saved."""

    def __init__(self, failure=None):
        self.steps, self.failure = [], failure

    def save(self, step):
        self.steps.append(step)
        if self.failure:
            raise self.failure


def at_step(step, saved, every=100):
    """A `Save` of a model that has made so many steps."""
    save = callbacks.Save(saved, every)
    save.set_model(SimpleNamespace(step=step))
    save.on_train_batch_begin(0)
    save.on_train_batch_end(0)
    return save


def test_an_error_beside_the_steps_does_not_lose_the_last_one():
    save = at_step(7, saved := Saved())
    with pytest.raises(ZeroDivisionError), save.also_after_errors():
        _ = 1 / 0
    assert saved.steps == [7]


def test_half_a_step_is_not_saved():
    save = at_step(7, saved := Saved())
    save.on_train_batch_begin(1)
    with pytest.raises(ZeroDivisionError), save.also_after_errors():
        _ = 1 / 0
    assert saved.steps == []


def test_what_was_saved_or_could_not_be_is_not_tried_again():
    save = at_step(7, saved := Saved(), every=7)
    with pytest.raises(ZeroDivisionError), save.also_after_errors():
        _ = 1 / 0
    save = callbacks.Save(failing := Saved(UserError("full")), 7)
    save.set_model(SimpleNamespace(step=7))
    with pytest.raises(UserError, match="full"), save.also_after_errors():
        save.on_train_batch_end(0)
    assert (saved.steps, failing.steps) == ([7], [7])


def test_a_run_whose_scores_and_watch_fail(tmp_path, monkeypatch, capsys):
    """Failed scores cost a warning; what nobody has foreseen ends the run, after saving."""

    def not_positive_definite(self, *arguments):
        raise np.linalg.LinAlgError("not\npositive definite")

    def unforeseen(self):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(judge.Judge, "generator", not_positive_definite)
    monkeypatch.setattr(callbacks.Collapse, "_look_at_samples", unforeseen)
    flags = ["--steps=9", "--evaluate_every=1", "--sample_every=2", f"--workdir={tmp_path / 'run'}"]
    with pytest.raises(RuntimeError, match="unforeseen"):
        train.run([*SMALL, *flags])
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "step 1: no scores: LinAlgError: not positive definite"
    assert (tmp_path / "run" / "checkpoints" / "ckpt-2.sha256").exists()
