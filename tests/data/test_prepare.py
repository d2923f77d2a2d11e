import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from gan_keras import data
from gan_keras.config import config
from gan_keras.data import prepare
from gan_keras.data.source import Source
from gan_keras.errors import UserError

COUNT = 30
SEVENS = [range(first, min(first + 7, COUNT)) for first in range(0, COUNT, 7)]


def numbered(reads=None, most=COUNT, identity="", slow=True, fail_at=None):
    """A source of images 2x2x1 in chunks of 7, of which image i has the value i."""

    def chunks():
        if reads is not None:
            reads.append(1)
        for numbers in SEVENS:
            if fail_at in numbers:
                raise RuntimeError("interrupted")
            pixels = np.repeat(np.array(numbers, np.uint8), 4).reshape(-1, 2, 2, 1)
            yield len(pixels), pixels

    return Source("numbered", 2, 1, most, chunks, identity, slow)


def contents(rows):
    return rows.read(np.arange(rows.count))[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(("memory_limit", "in_memory"), [(COUNT * 4, True), (COUNT * 4 - 1, False)])
def test_the_limit_decides_and_the_pixels_are_the_same(tmp_path, cached, memory_limit, in_memory):
    rows = prepare.store(numbered(), tmp_path if cached else None, memory_limit)
    assert rows.in_memory == in_memory
    assert (rows.count, tuple(rows.shape)) == (COUNT, (2, 2, 1))
    assert contents(rows) == list(range(COUNT))


@pytest.mark.parametrize("memory_limit", [0, prepare.MEMORY_LIMIT])
def test_what_was_prepared_is_used_again(tmp_path, memory_limit):
    reads = []
    for _ in range(2):
        source = numbered(reads)
        source.skipped[:] = [("broken.png", "no picture")] if not reads else []
        assert contents(prepare.store(source, tmp_path, memory_limit)) == list(range(COUNT))
        assert source.skipped == [("broken.png", "no picture")]
    assert len(reads) == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".uint8"]


def test_another_identity_is_prepared_anew(tmp_path):
    reads = []
    for identity in ("a", "b", "a"):
        prepare.store(numbered(reads, identity=identity), tmp_path, memory_limit=0)
    assert len(reads) == 2


@pytest.mark.parametrize("memory_limit", [0, 2**30])
def test_a_split_of_what_is_kept(painted, folder_config, tmp_path, memory_limit):
    """What is held out changes which images come, not the file that all splits share."""
    for held_out in (0, 3):
        wanted = folder_config(painted, held_out=held_out)
        images = data.load(wanted, cache_dir=tmp_path / "cache", memory_limit=memory_limit)
        assert contents(images.rows) == [10 * i for i in range(23 - held_out)]
    held = data.load(wanted, "validation", tmp_path / "cache", memory_limit)
    assert held.in_memory == (memory_limit > 0)
    assert contents(held.rows) == [200, 210, 220]
    (batch,) = held.batches(3, seed=0).take(1)
    assert sorted(np.rint((batch.numpy()[:, 0, 0, 0] + 1) * 127.5)) == [200, 210, 220]
    assert len(list((tmp_path / "cache").glob("*.uint8"))) == 1


def test_a_fast_source_that_fits_leaves_no_file(tmp_path):
    prepare.store(numbered(slow=False), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fewer_images_than_announced(tmp_path):
    for directory, memory_limit in ((None, 2**30), (tmp_path, 2**30), (tmp_path / "a", 0)):
        rows = prepare.store(numbered(most=COUNT + 100), directory, memory_limit)
        assert contents(rows) == list(range(COUNT))


def test_an_interrupted_preparation_leaves_nothing_that_could_be_taken_for_a_whole_one(tmp_path):
    with pytest.raises(RuntimeError, match="interrupted"):
        prepare.store(numbered(fail_at=20), tmp_path, memory_limit=0)
    assert list(tmp_path.iterdir()) == []
    # A process that was killed cannot clean up.
    prepare.store(numbered(), tmp_path, memory_limit=0)
    (whole,) = tmp_path.glob("*.uint8")
    whole.rename(whole.with_suffix(".partial"))
    reads = []
    assert contents(prepare.store(numbered(reads), tmp_path, 0)) == list(range(COUNT))
    assert reads == [1]


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("memory_limit", [0, 2**30])
@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        (".uint8", zero),  # Of its size, and every pixel wrong.
        (".uint8", flip),
        (".uint8", lambda path: os.truncate(path, 17)),
        (".json", flip),
        (".json", zero),
        (".json", lambda path: path.write_text("[" * 100_000)),
        (".json", lambda path: path.unlink()),
    ],
)
def test_damage_is_found_and_the_pixels_are_made_again(
    tmp_path, caplog, memory_limit, suffix, harm
):
    prepare.store(numbered(), tmp_path, memory_limit)
    (file,) = tmp_path.glob(f"*{suffix}")
    harm(file)
    reads = []
    for _ in range(2):
        rows = prepare.store(numbered(reads), tmp_path, memory_limit)
        assert contents(rows) == list(range(COUNT))
    assert reads == [1]
    (line,) = caplog.messages
    assert line.endswith(".uint8: corrupt; made again from numbered")


def test_every_flipped_bit_of_what_is_kept_is_found(tmp_path):
    """None is silently another data set; a few harm no value, as the space between two."""
    source = numbered()
    source.skipped[:] = [("a.png", "no picture")]
    prepare.store(source, tmp_path, memory_limit=0)
    path = prepare.kept_path(source, tmp_path)
    for file in (path, path.with_suffix(".json")):
        whole = file.read_bytes()
        for bit in range(8 * len(whole)):
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            file.write_bytes(content)
            again = numbered()
            kept = prepare._open_whole(again, path)
            if kept is not None:
                assert (kept[1], again.skipped) == (COUNT, source.skipped)
                assert file != path
                kept[0].close()
        file.write_bytes(whole)


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path):
    prepare.kept_path(numbered(), tmp_path).mkdir()
    with pytest.raises(UserError, match=r"--dataset=numbered: .*uint8: Is a directory"):
        prepare.store(numbered(), tmp_path, memory_limit=0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--dataset=numbered: .*cannot be kept in .*file"):
        prepare.store(numbered(), tmp_path / "file" / "data", memory_limit=0)


@pytest.mark.parametrize(("count", "per_step"), [(8, 1), (40, 1), (8, 2)])
def test_streamed_batches_equal_those_from_memory(painted, folder_config, count, per_step):
    wanted = folder_config(painted)
    memory = data.load(wanted)
    stream = data.load(wanted, memory_limit=0)
    assert (memory.in_memory, stream.in_memory) == (True, False)
    pairs = zip(
        memory.batches(count, 5, start=2, per_step=per_step).take(9),
        stream.batches(count, 5, start=2, per_step=per_step).take(9),
        strict=True,
    )
    for a, b in pairs:
        np.testing.assert_array_equal(np.array(a), np.array(b))
    assert memory.batches(8, 0).element_spec == stream.batches(8, 0).element_spec
    np.testing.assert_array_equal(memory.first(9), stream.first(9))


def test_streaming_takes_no_memory_for_the_data(tmp_path):
    """480 MB of pixels go through a process whose memory grows by less than a quarter of it."""
    code = """
        import resource, sys
        import numpy as np
        from gan_keras.data import batches, prepare, storage
        from gan_keras.data.source import Source

        def peak():
            unit = 2**20 if sys.platform == "darwin" else 2**10
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit

        def use(rows, steps):
            for _ in batches.Images("noise", rows).batches(256, 0).take(steps):
                pass

        noise = np.random.default_rng(0).integers(0, 256, (500, 64, 64, 3), np.uint8)
        source = Source("noise", 64, 3, 40_000, lambda: ((500, noise) for _ in range(80)), "", True)
        use(storage.Memory(noise), 30)
        before = peak()
        rows = prepare.store(source, sys.argv[1], memory_limit=0)
        use(rows, 157)
        print(rows.count, peak() - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    count, grown = map(int, result.stdout.split())
    assert count == 40_000
    assert grown < 120


def test_a_whole_data_set_too_large_for_memory_goes_through_load(tmp_path):
    wanted = config.from_preset("digits", image_size=8)
    images = data.load(wanted, cache_dir=tmp_path, memory_limit=1000)
    assert not images.in_memory
    whole = data.load(wanted)
    np.testing.assert_array_equal(images.first(64), whole.first(64))
