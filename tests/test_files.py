"""Files that are there whole or not at all, and what is said where the disk is full."""

import errno
import json
import os

import pytest
import tensorflow as tf

from gan_keras import files
from tests.conftest import limited


def test_a_failure_names_the_file_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    files.write(path, b"before")
    with limited(10), pytest.raises(OSError, match="File too large") as failure:
        files.write(path, b"longer than ten bytes")
    assert failure.value.filename == str(path)
    assert path.read_bytes() == b"before"
    assert [*tmp_path.iterdir()] == [path]


def test_the_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("ä" * 127)  # 254 bytes.
    files.write(path, b"content")
    assert path.read_bytes() == b"content"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device; make room"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "Read-only file system; make it possible"),
        (OSError("odd"), "odd; make it possible"),
    ],
)
def test_the_remedy(error, told):
    assert files.why(error).startswith(told)


def test_the_reason_in_tensorflows_frame(tmp_path):
    variable = tf.train.Checkpoint(values=tf.Variable(tf.zeros([50])))
    with limited(20), pytest.raises(tf.errors.OpError) as failure:
        variable.write(str(tmp_path / "ckpt"))
    assert files.why(failure.value) == "File too large; make room there"


def test_a_sealed_record_is_found_to_be_another():
    record = {"a": [1, 2.5, None], "b": {"c": "ä"}}
    text = json.dumps(files.sealed(record), indent=1)
    assert files.unsealed(json.loads(text)) == record
    assert files.unsealed(record) == record
    for edited in (text.replace("2.5", "2.25"), text.replace('"a"', '"x"')):
        with pytest.raises(ValueError, match="its sha256 is another"):
            files.unsealed(json.loads(edited))


def test_a_flipped_bit_in_the_name_of_the_digest_is_found():
    text = json.dumps(files.sealed({"steps": 5, "names": ["a"]})).encode()
    first = text.index(files.DIGEST.encode())
    for bit in range(8 * first, 8 * (first + len(files.DIGEST))):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(
            ValueError, match=r"its sha256 is called|codec|JSON|delimiter|control|escape"
        ):
            files.unsealed(json.loads(flipped))
