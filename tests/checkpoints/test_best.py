"""The best checkpoint by a score: what replaces it, and what does not."""

import json
import math

import pytest
import tensorflow as tf

from gan_keras import checkpoints
from gan_keras.errors import UsageError, UserError
from tests.conftest import limited

PROTOCOL = "10 samples"


def best(workdir, better="lower", metric="frechet_distance"):
    checkpoint = tf.train.Checkpoint(values=tf.Variable(tf.zeros([50])))
    return checkpoints.Best(checkpoint, workdir, metric, better)


def offer(kept, step, value, protocol=PROTOCOL):
    kept.saved.checkpoint.values.assign(tf.fill([50], float(step)))
    return kept.offer(step, value, protocol)


def kept_steps(workdir):
    return sorted(path.name for path in (workdir / "checkpoints" / "best").glob("*.index"))


@pytest.mark.parametrize(
    ("better", "values", "step"),
    [
        ("lower", [3.0, 2.0, 4.0], 2),
        ("higher", [3.0, 2.0, 4.0], 3),
        ("lower", [2.0, 2.0, 2.0], 1),
        ("higher", [2.0, 2.0, 2.0], 1),
        ("lower", [math.nan, 9.0, -math.inf], 2),
        ("higher", [math.inf, 1.0, math.nan], 2),
    ],
)
def test_the_first_of_the_best_finite_scores_is_kept(tmp_path, better, values, step):
    kept = best(tmp_path, better)
    for number, value in enumerate(values, start=1):
        offer(kept, number, value)
    assert kept_steps(tmp_path) == [f"ckpt-{step}.index"]
    assert checkpoints.locate(tmp_path, checkpoints.BEST) == step
    record = json.loads((tmp_path / "checkpoints" / "best" / "best.json").read_text())
    assert (record["step"], record["value"]) == (step, values[step - 1])


def test_what_is_kept_is_the_state_of_that_step(tmp_path):
    kept = best(tmp_path)
    offer(kept, 1, 1.0)
    offer(kept, 2, 5.0)
    kept.saved.checkpoint.restore(kept.saved.latest_checkpoint)
    assert float(kept.saved.checkpoint.values[0]) == 1.0


def test_a_resumed_run_keeps_what_it_had_kept(tmp_path):
    for step, value in ((10, 4.0), (20, 2.0)):
        offer(best(tmp_path), step, value)
    resumed = best(tmp_path)  # From step 10: it finds the scores that it had found.
    assert not offer(resumed, 20, 2.0)
    assert not offer(resumed, 30, 3.0)
    assert offer(resumed, 40, 1.0)
    assert kept_steps(tmp_path) == ["ckpt-40.index"]


@pytest.mark.parametrize(
    ("metric", "protocol"), [("recall", PROTOCOL), ("frechet_distance", "20 samples")]
)
def test_scores_that_do_not_compare_begin_anew(tmp_path, metric, protocol):
    offer(best(tmp_path), 10, 1.0)
    assert offer(best(tmp_path, metric=metric), 20, 7.0, protocol)
    assert kept_steps(tmp_path) == ["ckpt-20.index"]


def test_a_lost_record_begins_anew_even_from_an_earlier_step(tmp_path):
    offer(best(tmp_path), 20, 1.0)
    (tmp_path / "checkpoints" / "best" / "best.json").unlink()
    assert offer(best(tmp_path), 10, 7.0)
    assert kept_steps(tmp_path) == ["ckpt-10.index"]
    assert checkpoints.locate(tmp_path, checkpoints.BEST) == 10


@pytest.mark.parametrize(
    "change",
    [lambda text: text.replace("1.0", "9.0"), lambda _: "{", lambda _: "[]", lambda _: "{}"],
)
def test_a_corrupt_record_costs_no_checkpoint(tmp_path, caplog, change):
    offer(best(tmp_path), 20, 1.0)
    path = tmp_path / "checkpoints" / "best" / "best.json"
    path.write_text(change(path.read_text()))
    assert not offer(best(tmp_path), 30, 5.0)
    assert kept_steps(tmp_path) == ["ckpt-20.index"]
    assert f"{path} is corrupt" in caplog.text
    (tmp_path / "checkpoints" / "best" / "ckpt-20.index").unlink()
    assert offer(best(tmp_path), 40, 6.0)
    assert not offer(best(tmp_path), 50, 7.0)


def test_a_record_of_an_older_version_has_no_digest(tmp_path):
    offer(best(tmp_path), 20, 1.0)
    path = tmp_path / "checkpoints" / "best" / "best.json"
    record = json.loads(path.read_text())
    del record["sha256"]
    path.write_text(json.dumps(record))
    assert not offer(best(tmp_path), 30, 5.0)
    assert offer(best(tmp_path), 40, 0.5)


def test_a_corrupt_best_is_replaced(tmp_path):
    offer(best(tmp_path), 10, 1.0)
    (tmp_path / "checkpoints" / "best" / "ckpt-10.index").write_bytes(b"")
    with pytest.raises(UserError, match=r"ckpt-10\.index is corrupt"):
        checkpoints.locate(tmp_path, checkpoints.BEST)
    assert offer(best(tmp_path), 20, 2.0)
    assert checkpoints.locate(tmp_path, checkpoints.BEST) == 20


def test_a_full_disk_leaves_what_was_kept(tmp_path):
    kept = best(tmp_path)
    offer(kept, 10, 2.0)
    with limited(100), pytest.raises(UserError, match="cannot be saved"):
        offer(kept, 20, 1.0)
    assert checkpoints.locate(tmp_path, checkpoints.BEST) == 10


def test_a_run_without_a_best_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"--checkpoint=best: .* keeps none; train with --keep_b"):
        checkpoints.locate(tmp_path, checkpoints.BEST)


def test_the_newest_ones_do_not_count_it(tmp_path):
    kept = best(tmp_path)
    newest = checkpoints.Checkpoints(kept.saved.checkpoint, checkpoints.directory(tmp_path), keep=1)
    offer(kept, 10, 2.0)
    for step in (10, 20, 30):
        newest.save(step)
    assert checkpoints.locate(tmp_path) == 30
    assert checkpoints.locate(tmp_path, checkpoints.BEST) == 10
