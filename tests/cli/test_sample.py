import logging
import shlex

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gan_keras.cli import sample
from gan_keras.client import load
from gan_keras.drawing import images
from gan_keras.errors import UserError
from gan_keras.exporting import contract


def pictures(count, seed):
    rows = np.array([value % 256 for value in range(seed, seed + count)], np.uint8)
    return np.broadcast_to(rows[:, None, None, None], (count, 8, 8, 1))


class FakeClient:
    """Stands for the real one, which tests/test_client.py tests."""

    made = None  # the arguments of the newest
    asked = None
    failure = None

    def __init__(self, *args, **security):
        FakeClient.made = args
        FakeClient.security = security

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def sample(self, count, seed, label):
        FakeClient.asked = (count, seed, label)
        if self.failure:
            raise self.failure
        return pictures(count, seed)


@pytest.fixture(autouse=True)
def fake(monkeypatch, tmp_path):
    monkeypatch.setattr("gan_keras.client.Client", FakeClient)
    monkeypatch.setattr(FakeClient, "made", None)
    monkeypatch.setattr(FakeClient, "asked", None)
    monkeypatch.chdir(tmp_path)
    return FakeClient


def test_the_grid_is_written_and_told(fake, tmp_path, capsys):
    assert sample.run(["--transport=rest", "--count=5", "--seed=3", "--output=out.png"]) == 0
    written = images.decode_png((tmp_path / "out.png").read_bytes())
    assert_array_equal(written, images.grid(pictures(5, 3)))
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    first, grid, second = capsys.readouterr().out.splitlines()
    assert first.startswith("wrote out.png: 5 pictures of 8x8x1 in ")
    assert first.endswith(" ms from 127.0.0.1:8501 over rest")
    # Of 3 columns and 2 rows; 8 pixels are made 48.
    assert grid == (
        "grid:  98x148 pixels: each picture enlarged 6 times, 2 white pixels between two"
    )
    assert second == (
        "next:  gan-keras-sample --transport=rest --count=5 --seed=8 --output=from_seed_8.png"
    )


def test_the_defaults_suit_the_transport(fake):
    assert sample.run([]) == 0
    assert fake.made == ("127.0.0.1:8500", "grpc", contract.MODEL_NAME, 60.0, None, None)
    assert fake.asked == (64, 0, None)
    assert sample.run(["--transport=rest"]) == 0
    assert fake.made[:2] == ("127.0.0.1:8501", "rest")


def test_every_flag_reaches_the_client(fake):
    server = ["--server=example.org:80", "--model=faces", "--timeout=1.5"]
    assert sample.run([*server, "--version=7", "--count=1", "--seed=-9"]) == 0
    assert fake.made == ("example.org:80", "grpc", "faces", 1.5, 7, None)
    assert fake.asked == (1, -9, None)
    assert sample.run([*server, "--version_label=stable"]) == 0
    assert fake.made == ("example.org:80", "grpc", "faces", 1.5, None, "stable")


def test_tls_and_the_token_reach_the_client(fake, tmp_path, capsys):
    assert sample.run(["--count=1"]) == 0
    assert fake.security == {"tls": False, "ca_cert": None, "token": None}
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert sample.run(["--count=1", "--tls", "--ca_cert=ca.pem", "--token_file=token"]) == 0
    assert fake.security == {"tls": True, "ca_cert": "ca.pem", "token": "0123456789abcdef"}
    assert "--tls=True --ca_cert=ca.pem --token_file=token " in capsys.readouterr().out
    assert sample.run(["--count=1", "--server=https://example.org:443"]) == 0
    assert fake.made[:2] == ("example.org:443", "rest")
    assert fake.security["tls"] is True


@pytest.mark.parametrize("text", ["short", "", "0123456789 abcdef", "0123456789abcdé"])
def test_a_file_without_a_token_is_named(fake, tmp_path, capsys, text):
    (tmp_path / "token").write_text(text)
    assert sample.run(["--token_file=token"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gan-keras-sample: --token_file=token: ")
    assert fake.made is None


def test_one_picture_is_a_file_of_its_own_size(tmp_path, capsys):
    assert sample.run(["--count=1", "--seed=7"]) == 0
    assert_array_equal(images.decode_png((tmp_path / "grid.png").read_bytes()), pictures(1, 7)[0])
    printed = capsys.readouterr().out
    assert "wrote grid.png: 1 picture of 8x8x1 in " in printed
    assert "grid:" not in printed


@pytest.mark.parametrize("server", ["http://example.org:80", "HTTP://example.org:80/"])
def test_a_url_is_asked_over_rest(fake, capsys, server):
    assert sample.run([f"--server={server}", "--count=2"]) == 0
    assert fake.made[:2] == ("example.org:80", "rest")
    printed, _, following = capsys.readouterr().out.splitlines()
    assert printed.endswith(" from example.org:80 over rest")
    # And so is what is asked next.
    assert sample.run(shlex.split(following.removeprefix("next:  "))[1:]) == 0
    assert fake.made[:2] == ("example.org:80", "rest")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--server=ftp://example.org:80"], "give HOST:PORT, http://HOST:PORT or https://HOST"),
        (["--server=http://example.org:80", "--tls"], "http is not encrypted; omit --tls, or"),
        (["--server=http://example.org:80", "--transport=grpc"], "omit --transport=grpc"),
    ],
)
def test_a_url_of_something_else_is_one_line(fake, capsys, argv, message):
    assert sample.run(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert fake.made is None


@pytest.mark.parametrize(("given", "asked"), [("7", 7), ("seven", "seven"), ("-1", -1)])
def test_a_label_is_a_number_or_a_name(fake, capsys, given, asked):
    assert sample.run(["--count=1", f"--label={given}"]) == 0
    assert fake.asked == (1, 0, asked)
    assert f"--label={given} " in capsys.readouterr().out


def test_verbose_reports_each_request_and_nothing_else_does(fake, monkeypatch, capsys):
    def asks(self, count, seed, label):
        logging.getLogger("gan_keras.client.transport").debug("12 bytes")
        return pictures(count, seed)

    monkeypatch.setattr(fake, "sample", asks)
    assert sample.run(["--verbose"]) == 0
    assert capsys.readouterr().out.startswith("12 bytes\nwrote grid.png")
    assert sample.run([]) == 0
    assert "12 bytes" not in capsys.readouterr().out


@pytest.mark.parametrize(("busy", "lines"), [(0.5, 2), (0.95, 3)])
def test_bench_prints_rate_and_latencies_and_writes_nothing(
    fake, monkeypatch, tmp_path, capsys, busy, lines
):
    def measure(asks, seconds):
        assert seconds == 2.5
        asked = []
        for number in range(2):
            for ask in asks:
                ask(number)
                asked.append(fake.asked)
        assert asked == [(4, 10 + 4 * i, 3) for i in range(6)]
        return load.Load(1000, seconds, {50: 1.25, 90: 2.0, 99: 10.0}, busy)

    monkeypatch.setattr(load, "measure", measure)
    flags = ["--bench=2.5", "--clients=3", "--count=4", "--seed=10", "--label=3"]
    assert sample.run(flags) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "1,000 requests of 4 pictures in 2.5 s by 3 clients from 127.0.0.1:8500 over grpc",
        "400.0 requests/s, 1,600.0 pictures/s, p50 1.2 ms, p90 2.0 ms, p99 10.0 ms",
    ]
    assert len(printed) == lines
    assert printed[2:] == [line for line in printed if "95% of a core" in line]
    assert not list(tmp_path.iterdir())


def test_bench_stays_within_int64(fake, monkeypatch):
    def measure(asks, seconds):
        for number in range(3):
            asks[0](number)
            assert fake.asked[1] + 64 <= 2**63
        raise ValueError("no request was answered within 1 s")

    monkeypatch.setattr(load, "measure", measure)
    assert sample.run(["--bench=1", f"--seed={2**63 - 130}"]) == 2


def test_the_next_command_works_as_printed(fake, tmp_path, capsys):
    (tmp_path / "a folder").mkdir()
    assert sample.run(["--count=2", "--label=7", "--model=m", "--output=a folder/x.png"]) == 0
    printed = capsys.readouterr().out.splitlines()[-1].removeprefix("next:  ")
    program, *arguments = shlex.split(printed)
    assert program == sample.PROGRAM
    assert sample.run(arguments) == 0
    assert fake.made[2] == "m"
    assert fake.asked == (2, 2, 7)
    assert (tmp_path / "a folder" / "from_seed_2.png").exists()


def test_the_next_command_begins_again_where_the_seeds_end(fake, capsys):
    assert sample.run(["--count=2", f"--seed={2**63 - 3}"]) == 0
    assert "--seed=0 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--count=0", "--count=0: 0 is not an integer in the range"),
        ("--count=10001", "--count=10001"),
        ("--seed=1.5", "--seed=1.5"),
        ("--version=-1", "--version=-1"),
        ("--transport=soap", "--transport=soap"),
        ("--timeout=soon", "--timeout=soon"),
        ("--output=nowhere/x.png", "--output=nowhere/x.png: folder nowhere does not exist"),
        ("--output=x.jpg", "--output=x.jpg: the name must end in .png"),
        ("--output=.", "--output=.: is a folder"),
        (f"--output={'a' * 300}/x.png", "aaa does not exist"),
        ("--cuont=3", "cuont"),
        ("--clients=2", "--clients=2: is for --bench; give --bench=SECONDS too"),
        ("--bench=0", "--bench=0"),
        ("stray", "stray: unexpected argument"),
    ],
)
def test_a_bad_flag_is_one_line_and_2_before_the_server_is_asked(fake, capsys, argument, message):
    assert sample.run([argument]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("gan-keras-sample: ")
    assert message in captured.err
    assert fake.made is None


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--output=x.png", "--output=x.png: not beside --bench"),
        ("--count=65", "--count=65: with --bench it is the pictures of one request, at most 64"),
    ],
)
def test_bench_names_flags_that_do_not_fit(fake, capsys, argument, message):
    assert sample.run(["--bench=1", argument]) == 2
    assert message in capsys.readouterr().err
    assert fake.made is None


def test_a_failure_is_one_line_and_1_and_leaves_no_file(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fake, "failure", UserError("nobody there"))
    assert sample.run([]) == 1
    assert capsys.readouterr().err == "gan-keras-sample: nobody there\n"
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_is_one_line_and_2(fake, capsys, monkeypatch):
    def full(path, image):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "save_png", full)
    assert sample.run([]) == 2
    assert capsys.readouterr().err == (
        "gan-keras-sample: --output=grid.png: No space left on device\n"
    )


def test_a_name_that_is_too_long_is_one_line_and_2(fake, capsys):
    name = f"{'a' * 300}.png"
    assert sample.run([f"--output={name}"]) == 2
    assert capsys.readouterr().err == f"gan-keras-sample: --output={name}: File name too long\n"


def test_the_command_itself_without_a_server(program, tmp_path):
    result = program("sample", "--transport=rest", "--server=127.0.0.1:1", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "gan-keras-sample: 127.0.0.1:1 over rest cannot be reached: Connection refused;"
        " is the server running, and is this the right port (8500 is gRPC, 8501 REST)?\n"
    )
