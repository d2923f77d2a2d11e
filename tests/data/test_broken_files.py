"""A folder in which most files are broken or odd: no crash, no file lost or told twice."""

import io
import os
import struct
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_keras import data
from gan_keras.data import pictures, skipped

SIZE = 4
BOMB = (20_000, 20_000)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(rng):
    return Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))


def plain(color, mode="RGB", size=(8, 8)):
    return Image.new(mode, size, color)


def color(rng):
    return tuple(map(int, rng.integers(0, 256, 3)))


def png_header(width, height):
    """A PNG file that is right in all but its pixels, of which there are none."""

    def chunk(name, body):
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def turned(orientation):
    """A picture that EXIF says to turn, as (what is to be seen, file).

    The stored array is what the table of EXIF 2.3, section 4.6.4, says of row 0 and column 0.
    """
    seen = np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)
    stored = {
        1: seen,
        2: np.fliplr(seen),
        3: np.rot90(seen, 2),
        4: np.flipud(seen),
        5: seen.transpose(1, 0, 2),
        6: np.rot90(seen),
        7: np.rot90(seen, 2).transpose(1, 0, 2),
        8: np.rot90(seen, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return seen, encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)


def cut(rng, kind):
    whole = encoded(noise(rng), kind)
    return whole[: int(rng.integers(1, len(whole) * 9 // 10))]


def flipped(rng):
    """A PNG file with one bit changed in the compressed pixels, which their checksum shows."""
    whole = bytearray(encoded(noise(rng), "PNG"))
    start = whole.index(b"IDAT") + 4
    whole[start + int(rng.integers(100, 1000))] ^= 1 << int(rng.integers(8))
    return bytes(whole)


def animated(rng, kind):
    first = color(rng)
    rest = [plain(color(rng)) for _ in range(2)]
    options = {"lossless": True} if kind == "WEBP" else {}
    return first, encoded(plain(first), kind, save_all=True, append_images=rest, **options)


def deep(rng):
    level = int(rng.integers(0, 256))
    return (level,) * 3, encoded(Image.fromarray(np.full((8, 8), 257 * level, np.uint16)), "PNG")


def palette(rng):
    chosen = color(rng)
    picture = plain(1, "P")
    picture.putpalette([0, 0, 0, *chosen])
    return chosen, encoded(picture, "PNG")


def cmyk(rng):
    chosen = color(rng)
    inks = tuple(255 - c for c in chosen)
    return chosen, encoded(plain((*inks, 0), "CMYK"), "JPEG", quality=100)


def keyed(rng):
    """16-bit grey of which one level is transparent: white is seen."""
    level = int(rng.integers(0, 2**16))
    picture = Image.fromarray(np.full((8, 8), level, np.uint16))
    return (255, 255, 255), encoded(picture, "PNG", transparency=level)


def of(rng, kind, size=(8, 8), **options):
    chosen = color(rng)
    return chosen, encoded(plain(chosen, size=size), kind, **options)


def sparse(path):
    """A PNG file that takes a few bytes of the disk, and has one more than is read."""
    path.write_bytes(png_header(8, 8))
    os.truncate(path, 2**28 + 1)


# What makes (what is to be seen, file), and the suffix of its name.
USABLE = {
    "png": (".png", lambda rng: of(rng, "PNG")),
    "jpeg": (".JPG", lambda rng: of(rng, "JPEG", quality=100)),
    "jpeg named png": (".png", lambda rng: of(rng, "JPEG", quality=100)),
    "png named heic": (".heic", lambda rng: of(rng, "PNG")),
    "1x1": (".png", lambda rng: of(rng, "PNG", size=(1, 1))),
    "1x3000": (".png", lambda rng: of(rng, "PNG", size=(1, 3000))),
    "cmyk": (".jpeg", cmyk),
    "16 bits": (".png", deep),
    "16 bits with a key": (".png", keyed),
    "palette": (".png", palette),
    "animated gif": (".gif", lambda rng: animated(rng, "GIF")),
    "animated webp": (".webp", lambda rng: animated(rng, "WEBP")),
    "animated png": (".png", lambda rng: animated(rng, "PNG")),
    "turned": (".png", lambda rng: turned(int(rng.integers(1, 9)))),
    "broken exif": (".png", lambda rng: of(rng, "PNG", exif=b"Exif\0\0no such thing")),
}
FORMATS = "no picture of the formats GIF, JPEG, PNG, WEBP"
# What makes a file, the suffix of its name, and the reason that must be told, if it is one.
BROKEN = {
    "cut png": (".png", lambda rng: cut(rng, "PNG"), ""),
    "cut jpeg": (".jpg", lambda rng: cut(rng, "JPEG"), ""),
    "cut webp": (".webp", lambda rng: cut(rng, "WEBP"), ""),
    "cut gif": (".gif", lambda rng: cut(rng, "GIF"), ""),
    "flipped bit": (".png", flipped, ""),
    "nothing": (".png", lambda rng: b"", "empty"),
    "text": (".png", lambda rng: b"no picture at all", FORMATS),
    "noise": (".jpg", lambda rng: rng.bytes(200), FORMATS),
    "bitmap": (".bmp", lambda rng: encoded(noise(rng), "BMP"), FORMATS),
    "tiff named png": (".png", lambda rng: encoded(noise(rng), "TIFF"), FORMATS),
    "bomb": (".png", lambda rng: png_header(*BOMB), "more than 89,478,485 pixels"),
    "smaller bomb": (".png", lambda rng: png_header(9460, 9460), "more than 89,478,485 pixels"),
    "just no bomb": (".png", lambda rng: png_header(64, 64), ""),
}
# What is not even opened.
ODD = {
    "loop": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    "pipe": (os.mkfifo, "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "sparse": (sparse, "more than 256 MiB"),
}
KINDS = [*USABLE, *BROKEN, *ODD]


def fill(folder, count, seed):
    """Makes `count` files, each kind in turn.

    Returns:
        (seen, reasons): what is to be seen of each usable file, in the order of the names; and
        (name, reason or "") of the others.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    seen, reasons = [], []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        name = f"{number:05} {kind}"
        if kind in USABLE:
            suffix, make = USABLE[kind]
            pixels, content = make(rng)
            (folder / f"{name}{suffix}").write_bytes(content)
            seen.append(np.broadcast_to(np.array(pixels, np.uint8), (SIZE, SIZE, 3)))
        elif kind in BROKEN:
            suffix, make, reason = BROKEN[kind]
            (folder / f"{name}{suffix}").write_bytes(make(rng))
            reasons.append((f"{name}{suffix}", reason))
        else:
            make, reason = ODD[kind]
            make(folder / f"{name}.png")
            reasons.append((f"{name}.png", reason))
    # What must not even be told of.
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    (folder / "round").symlink_to(".")
    return np.array(seen), reasons


def check(folder_config, folder, cache_dir, expected, capsys):
    seen, reasons = expected
    images = data.load(folder_config(folder), cache_dir=cache_dir)
    assert [name for name, _ in images.skipped] == [name for name, _ in reasons]
    for (name, told), (_, reason) in zip(images.skipped, reasons, strict=True):
        assert told, name
        assert reason in ("", told), name
    # JPEG may round a colour by a few levels where its chroma is rounded too.
    pixels = images.rows.read(np.arange(images.count)).astype(int)
    np.testing.assert_allclose(pixels, seen, atol=3)

    *named, last = capsys.readouterr().err.splitlines()
    lines = (cache_dir / skipped.FILE).read_text().splitlines()
    assert lines == [f"{name}: {reason}" for name, reason in images.skipped]
    assert [line.removeprefix("skipped ") for line in named] == lines[: skipped.NAMED]
    total = len(seen) + len(reasons)
    told = f"folder:{folder}: skipped {len(reasons):,} of {total:,} files"
    if len(reasons) > skipped.NAMED:
        told += f", of which 20 are named; all are in {cache_dir / skipped.FILE}"
    assert last == told


@pytest.mark.parametrize("count", [len(KINDS), 40])
def test_broken_files_are_told_of_once_and_odd_ones_used(tmp_path, folder_config, capsys, count):
    expected = fill(tmp_path / "mixed", count, seed=count)
    check(folder_config, tmp_path / "mixed", tmp_path / "kept", expected, capsys)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_of_them(tmp_path, folder_config, capsys, seed):
    expected = fill(tmp_path / "mixed", 1000, seed)
    check(folder_config, tmp_path / "mixed", tmp_path / "kept", expected, capsys)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation):
    seen, file = turned(orientation)
    np.testing.assert_array_equal(pictures.read(io.BytesIO(file), SIZE, 3), seen)


def test_unreadable_files_are_told_of(tmp_path, folder_config, monkeypatch):
    """The tests may run as root, who can read everything: so opening is made to fail."""
    for name in ("a.png", "b.png"):
        plain((1, 2, 3)).save(tmp_path / name)
    really = Image.open

    def refuse(file, **options):
        if file.name == "a.png":
            raise PermissionError(13, "Permission denied", str(file))
        return really(file, **options)

    monkeypatch.setattr(Image, "open", refuse)
    images = data.load(folder_config(tmp_path))
    assert images.skipped == [("a.png", "Permission denied")]


def test_names_cannot_play_tricks_on_the_terminal(tmp_path, folder_config, capsys):
    plain((1, 2, 3)).save(tmp_path / "a.png")
    (tmp_path / "b\n\x1b[2J.png").write_text("")
    with open(os.fsencode(tmp_path) + b"/c\xff.png", "w"):
        pass
    data.load(folder_config(tmp_path), cache_dir=tmp_path / ".kept")
    assert capsys.readouterr().err.splitlines()[:2] == [
        r"skipped b\n\x1b[2J.png: empty",
        r"skipped c\udcff.png: empty",
    ]


def test_a_list_of_broken_files_goes_when_they_are_mended(tmp_path, folder_config):
    plain((1, 2, 3)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("")
    data.load(folder_config(tmp_path), cache_dir=tmp_path / ".kept")
    assert (tmp_path / ".kept" / skipped.FILE).read_text() == "b.png: empty\n"
    (tmp_path / "b.png").unlink()
    data.load(folder_config(tmp_path), cache_dir=tmp_path / ".kept")
    assert not (tmp_path / ".kept" / skipped.FILE).exists()


def test_large_pictures_are_read_all_the_same(monkeypatch):
    """Those of a data set lie in memory, and are read from their start a second time."""
    rng = np.random.default_rng(0)
    made = [of(rng, "PNG", size=(8, 8 + number)) for number in range(6)]
    monkeypatch.setattr(pictures, "LARGE_PIXELS", 8 * 11)
    wanted = [(str(number), io.BytesIO(file)) for number, (_, file) in enumerate(made)]
    wanted.insert(4, ("broken", io.BytesIO(png_header(64, 64))))
    lost = []
    ((count, pixels),) = pictures.read_all(wanted, SIZE, 3, lost)
    assert count == 7
    assert [name for name, _ in lost] == ["broken"]
    np.testing.assert_array_equal(pixels[:, 0, 0], [chosen for chosen, _ in made])


def test_a_draft_saves_a_progressive_file_no_memory():
    """Its decoder keeps all coefficients, so that it is large whatever is made of it."""
    for progressive in (False, True):
        file = io.BytesIO(encoded(plain((1, 2, 3), size=(64, 64)), "JPEG", progressive=progressive))
        pixels = pictures.read(file, SIZE, 3, most=64 * 63)
        assert (pixels is None) == progressive


@pytest.mark.faults
def test_large_pictures_are_decoded_one_at_a_time(tmp_path):
    """Eight threads and as many pictures of 4.4 million pixels, of which one takes 0.1 GB.

    24 bytes a pixel are 106 MB; all eight at once would be 0.8 GB. Twice the one is allowed,
    for what an allocator keeps.
    """
    plain((1, 2, 3, 4), "RGBA", (2100, 2100)).save(tmp_path / "0.png", compress_level=1)
    for number in range(1, 8):
        os.link(tmp_path / "0.png", tmp_path / f"{number}.png")
    code = """
        import os, resource, sys
        os.cpu_count = lambda: 8
        from pathlib import Path
        from gan_keras.data import pictures

        def peak():
            unit = 2**20 if sys.platform == "darwin" else 2**10
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit

        before, skipped = peak(), []
        files = [(path.name, path) for path in Path(sys.argv[1]).iterdir()]
        found = sum(len(pixels) for _, pixels in pictures.read_all(files, 8, 3, skipped))
        print(found, len(skipped), peak() - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    found, lost, grown = map(int, result.stdout.split())
    assert (found, lost) == (8, 0)
    assert grown < 2 * 106
