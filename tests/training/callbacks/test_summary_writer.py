"""Event files that do not take an event are found out, and whole ones never blamed."""

import pytest
import tensorflow as tf

from gan_keras.errors import UserError
from gan_keras.training.callbacks import CheckedSummaryWriter
from tests.conftest import limited


def scalars(journal, count):
    with journal.as_default(0):
        for step in range(count):
            tf.summary.scalar("value", 0.5, step=step)


def test_what_is_flushed_is_read_back(tmp_path):
    journal = CheckedSummaryWriter(tmp_path)
    for count in (1, 0, 37):
        scalars(journal, count)
        journal.flush()
    records = tf.data.TFRecordDataset(str(journal.path))
    assert sum(1 for _ in records) == 1 + 38  # The first says the file's version.


def test_a_second_journal_has_its_own_file(tmp_path):
    first, second = CheckedSummaryWriter(tmp_path), CheckedSummaryWriter(tmp_path)
    assert first.path != second.path
    for journal in (first, second):
        scalars(journal, 3)
        journal.flush()


def read(path):
    """The scalars of a file, in its order."""
    records = [tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    return [value.tag for record in records for value in record.summary.value]


def test_events_that_do_not_fit_cost_a_warning_and_a_new_file(tmp_path, caplog):
    """Whether TensorFlow's own flush says so or not."""
    journal = CheckedSummaryWriter(tmp_path)
    scalars(journal, 10)
    journal.flush()
    first = journal.path
    with limited(2000):
        # Not more than the queue holds, so that it is left to a flush to write it.
        with journal.as_default(0):
            tf.summary.text("long", "a" * 3000)
        journal.flush()
    (line,) = caplog.messages
    assert "events cannot be written: " in line
    assert "make room there; trying a new file" in line
    scalars(journal, 3)
    journal.flush()
    assert journal.path != first
    assert read(journal.path) == ["value"] * 3
    assert len(caplog.messages) == 1


def test_a_full_queue_that_does_not_fit_is_told(tmp_path, caplog):
    journal = CheckedSummaryWriter(tmp_path)
    with limited(2000):
        scalars(journal, 1000)
    assert "written: File too large; make room there; trying a new file" in caplog.messages[0]


def test_no_file_at_all_is_told(tmp_path):
    with (
        limited(0),
        pytest.raises(UserError, match="written: File too large; make room"),
    ):
        CheckedSummaryWriter(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_stays_full_is_told_once_and_leaves_no_empty_files(tmp_path, caplog):
    journal = CheckedSummaryWriter(tmp_path)
    journal.path.unlink()
    with limited(0):
        for _ in range(4):
            scalars(journal, 1)
            journal.flush()
    assert list(tmp_path.iterdir()) == []
    assert len(caplog.messages) == 1
    scalars(journal, 2)
    journal.flush()
    assert read(journal.path) == ["value"] * 2


@pytest.mark.parametrize("with_folder", [False, True])
def test_a_file_that_was_removed_is_made_anew(tmp_path, caplog, with_folder):
    journal = CheckedSummaryWriter(tmp_path / "logs")
    scalars(journal, 5)
    journal.path.unlink()
    if with_folder:
        (tmp_path / "logs").rmdir()
    journal.flush()
    assert [line.split(": ", 1)[1] for line in caplog.messages] == [
        "events cannot be written: the file is gone; trying a new file"
    ]
    scalars(journal, 2)
    journal.flush()
    assert read(journal.path) == ["value"] * 2
    assert len(caplog.messages) == 1


def test_a_defect_of_what_is_drawn_is_not_taken_for_the_files(tmp_path):
    journal = CheckedSummaryWriter(tmp_path)
    with pytest.raises(tf.errors.InvalidArgumentError), journal.as_default(0):
        tf.debugging.assert_equal(1, 2)
