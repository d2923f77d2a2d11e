"""TensorBoard's event files, checked.

TensorFlow's writer (2.21) fails when its queue is full of what it cannot write; a flush may fail
as well, or lose the same events silently. Events are there to be looked at: what cannot be
written costs a warning and a new file, and never the run.

TensorBoard's `EventFileWriter` raises what its thread met, but takes finished protocol buffers:
what `tf.summary` does for scalars and images would have to be written again here. It also goes on
into a file that has been removed.
"""

import contextlib
import logging
import os
import struct
from pathlib import Path

import tensorflow as tf

from gan_keras import files
from gan_keras.errors import UserError

logger = logging.getLogger(__name__)

# A record is its length (uint64), a checksum (uint32), the event and another checksum (uint32):
# https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
HEADER, CHECKSUM = 12, 4


class CheckedSummaryWriter:
    """A `tf.summary` writer that begins a new file, after a warning, if one does not hold all.

    A file is left where it ends within an event, or is gone: readers would stop there.

    Args:
        folder: Folder of the event file; made if missing.

    Raises:
        UserError: the first file cannot be made.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.told = None
        self.writer = None  # While there is no file.
        self._open()

    @contextlib.contextmanager
    def as_default(self, step):
        """As of the writer: a context in which `tf.summary` functions write here."""
        if self.writer is None:
            self._anew(self.told)
        if self.writer is None:
            yield  # Without a default writer these functions do nothing.
            return
        try:
            with self.writer.as_default(step):
                yield
        except tf.errors.OpError as error:
            if str(self.path) not in error.message:
                raise  # Of what is drawn or scored, rather than of the file.
            self._anew(files.why(error))
        else:
            self.flush()

    def flush(self):
        """Brings all events to the file, looks at what came there, and makes a new one if less."""
        if self.writer is None:
            return
        try:
            self._flush()
            if self._follow():
                self.told = None
                return
            why = "the file ends within one; make room there"
        except FileNotFoundError:
            why = "the file is gone"
        except (OSError, tf.errors.OpError) as error:
            why = files.why(error)
        self._anew(why)

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

    def _open(self):
        """Begins a file; one that does not even take its first event is not left behind."""
        before = self._files()
        self.path, self.checked = None, 0
        try:
            writer = tf.summary.create_file_writer(str(self.folder))
            writer.flush()
            self.path = max(self._files() - before, default=None)
            if self.path is None or not self._follow():
                raise OSError(0, "No space left on device")
        except (OSError, tf.errors.OpError) as error:
            for path in self._files() - before:
                path.unlink(missing_ok=True)
            raise UserError(
                f"{self.path or self.folder}: events cannot be written: {files.why(error)}, and "
                "the same command resumes from the newest checkpoint"
            ) from None
        # TensorFlow's context flushes when it ends, and a failure of that would leave this writer
        # the default one for ever.
        self._flush, writer.flush = writer.flush, lambda: None
        self.writer = writer

    def _anew(self, why):
        """Begins a new file, with one warning for what happens again and again."""
        if why != self.told:
            name = self.path or self.folder
            logger.warning("%s: events cannot be written: %s; trying a new file", name, why)
            self.told = why
        if self.writer is not None:
            with contextlib.suppress(tf.errors.OpError):  # Of what it still holds.
                self.writer.close()
            self.writer = None
        with contextlib.suppress(UserError):
            self._open()

    def _files(self):
        # Unlike pathlib's glob, it takes any name of a folder.
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return {self.folder / name for name in names if name.startswith("events.out.tfevents.")}
