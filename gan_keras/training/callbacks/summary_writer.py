"""TensorBoard's event files, checked.

TensorFlow's writer (2.21) fails when its queue is full of what it cannot write; a flush may fail
as well, or lose the same events silently.
"""

import contextlib
import os
import struct
from pathlib import Path

import tensorflow as tf

from gan_keras import files
from gan_keras.errors import UserError

# A record is its length (uint64), a checksum (uint32), the event and another checksum (uint32):
# https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
HEADER, CHECKSUM = 12, 4


class CheckedSummaryWriter:
    """A `tf.summary` writer whose `flush` fails if what was written is not in the file.

    Args:
        folder: Folder of the event file; made if missing.

    Raises:
        UserError: the file cannot be made, or not be written to when the writer's queue is full.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = None
        self.checked = 0
        before = self._files()
        with self._told():
            self.writer = tf.summary.create_file_writer(str(folder))
            self.writer.flush()
        self.path = max(self._files() - before, default=None)

    @contextlib.contextmanager
    def as_default(self, step):
        """As of the writer: a context in which `tf.summary` functions write here."""
        with self._told(), self.writer.as_default(step):
            yield

    def flush(self):
        """Brings all events to the file, and looks at what came there.

        Raises:
            UserError: it is not there, or ends in the middle of an event.
        """
        with self._told():
            self.writer.flush()
        try:
            whole = self._follow() if self.path else False
        except FileNotFoundError:
            whole = False
        if not whole:
            raise self._error("the file ends within one; make room there")

    def _follow(self):
        """Whether the file ends where an event does."""
        with open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            while self.checked + HEADER <= size:
                file.seek(self.checked)
                (length,) = struct.unpack("<Q", file.read(HEADER)[:8])
                end = self.checked + HEADER + length + CHECKSUM
                if end > size:
                    return False
                self.checked = end
        return self.checked == size > 0

    @contextlib.contextmanager
    def _told(self):
        try:
            yield
        except tf.errors.OpError as error:
            if str(self.path or self.folder) not in error.message:
                raise  # Of what is drawn or scored, rather than of the file.
            raise self._error(files.why(error)) from None

    def _error(self, why):
        return UserError(
            f"{self.path or self.folder}: events cannot be written: {why}, and the same command "
            "goes on from the newest checkpoint"
        )

    def _files(self):
        return set(self.folder.glob("events.out.tfevents.*"))
