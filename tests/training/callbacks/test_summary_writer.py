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


def test_events_that_do_not_fit_are_told(tmp_path):
    """Whether TensorFlow's own flush says so or not."""
    journal = CheckedSummaryWriter(tmp_path)
    scalars(journal, 10)
    journal.flush()

    def write():
        # Not more than the queue holds, so that it is left to a flush to write it.
        with journal.as_default(0):
            tf.summary.text("long", "a" * 3000)
        journal.flush()

    with limited(2000), pytest.raises(UserError, match=r"written: .*; make room there"):
        write()


def test_a_full_queue_that_does_not_fit_is_told(tmp_path):
    journal = CheckedSummaryWriter(tmp_path)
    with (
        limited(2000),
        pytest.raises(UserError, match="written: File too large; make room"),
    ):
        scalars(journal, 1000)


def test_no_file_at_all_is_told(tmp_path):
    with (
        limited(0),
        pytest.raises(UserError, match="written: File too large; make room"),
    ):
        CheckedSummaryWriter(tmp_path)


def test_a_file_that_was_removed_is_told(tmp_path):
    journal = CheckedSummaryWriter(tmp_path)
    journal.path.unlink()
    with pytest.raises(UserError, match="events cannot be written"):
        journal.flush()
