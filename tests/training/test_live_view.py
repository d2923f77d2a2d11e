"""The live view of a real training, over HTTP and in a browser: the run stays the same."""

import contextlib
import re
import threading
import urllib.parse

import pytest
import urllib3

from gan_keras.cli import train as command
from gan_keras.config import config as configs
from gan_keras.training import Outcome, live, run
from gan_keras.training.live import server
from tests import browser as browsers
from tests.conftest import reports
from tests.training.test_run import assert_same

STEPS = 60
EVERY = {"log_every": 20, "sample_every": 20, "checkpoint_every": 20}
PATIENCE = 120  # seconds; reached only where a test fails


def config_of(preset):
    return configs.from_preset(preset, width=8, steps=STEPS, mixed_precision="float32", **EVERY)


class Paused(live.Controls):
    """A game that is paused before its first step, so that a test finds it there."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.paused = True


class Training:
    """A training with a page on a thread of its own."""

    def __init__(self, config, workdir, stops):
        self.stops = stops
        self.key = ""
        self.outcome = []
        with reports() as lines:
            self.thread = threading.Thread(
                target=lambda: self.outcome.append(run.train(config, workdir, live_port=0)),
                daemon=True,
            )
            self.thread.start()
            while not (found := re.findall(r"live view: (http\S+)", "\n".join(lines))):
                self.thread.join(0.05)
                assert self.thread.is_alive()
        (self.address,) = found

    def press(self, button):
        headers = {server.HEADER: "1"}
        answer = urllib3.request("POST", self.address + button, headers=headers, timeout=PATIENCE)
        assert answer.status == 204

    def until(self, state, step):
        """Follows the frames up to that one."""
        for _ in range(1000):
            query = urllib.parse.urlencode({"after": self.key})
            answer = urllib3.request("GET", f"{self.address}frame?{query}", timeout=PATIENCE)
            assert self.thread.is_alive()
            if answer.status == 204:  # None came while the server waited for one.
                continue
            frame = answer.json()
            self.key = frame["key"]
            if (frame["state"], frame["step"]) == (state, step):
                return frame
        raise AssertionError(f"there was no frame {state} at step {step}")

    def end(self):
        """As a signal ends it."""
        self.stops.append(15)
        self.thread.join(PATIENCE)
        return self.outcome[0]


@pytest.fixture
def start(monkeypatch):
    stops, started = [], []

    @contextlib.contextmanager
    def caught():
        yield stops

    def begin(config, workdir):
        del stops[:]
        started.append(Training(config, workdir, stops))
        return started[-1]

    monkeypatch.setattr(run.signals, "caught", caught)
    monkeypatch.setattr(live, "Controls", Paused)
    yield begin
    for each in started:
        stops.append(15)
        each.thread.join(PATIENCE)


def written(workdir):
    """Everything in the run's folder but its logs, which TensorBoard's own threads write."""
    return {
        path.relative_to(workdir): path.read_bytes()
        for path in workdir.rglob("*")
        if path.is_file() and "logs" not in path.parts
    }


def test_paused_stepped_and_started_again_it_is_the_same_run(tmp_path, start):
    config = config_of("ring")
    run.train(config, tmp_path / "alone")
    training = start(config, tmp_path / "watched")
    training.until("paused", 1)
    training.press("step")
    training.until("paused", 2)
    training.press("reset")
    frame = training.until("paused", 0)
    assert frame["recorded"] == 2
    assert frame["values"] == []
    training.press("step")
    assert len(training.until("paused", 1)["values"]) == 1
    training.press("resume")
    ended = training.until("ended", STEPS)
    assert ended["recorded"] is None
    before = written(tmp_path / "watched")
    training.press("reset")
    again = training.until("ended", STEPS)
    # Not `value`, the mean over the last call, which has as many steps as there is time for.
    assert [again[name] for name in ("d", "fake")] == [ended[name] for name in ("d", "fake")]
    assert written(tmp_path / "watched") == before
    assert training.end() == Outcome(0, STEPS, stopped=False)

    # Without a page it is the same run; and one that is complete can be opened again.
    assert_same(tmp_path / "watched", tmp_path / "alone")
    training = start(config, tmp_path / "watched")
    assert training.until("ended", STEPS)["fake"] == ended["fake"]
    training.press("reset")
    training.until("paused", 0)
    assert training.end() == Outcome(STEPS, STEPS, stopped=False)
    assert written(tmp_path / "watched") == before


def test_a_stop_in_a_pause_saves_that_step(tmp_path, start):
    training = start(config_of("gaussians_1d"), tmp_path)
    training.until("paused", 1)
    assert training.end() == Outcome(0, 1, stopped=True)
    assert (tmp_path / "checkpoints" / "ckpt-1.index").exists()


def test_a_stop_while_the_game_is_played_again_loses_nothing(tmp_path, start):
    training = start(config_of("ring"), tmp_path)
    training.until("paused", 1)
    for step in (2, 3):
        training.press("step")
        training.until("paused", step)
    training.press("reset")
    training.until("paused", 0)
    training.press("step")
    training.until("paused", 1)
    assert training.end() == Outcome(0, 3, stopped=True)
    assert (tmp_path / "checkpoints" / "ckpt-3.index").exists()


@pytest.mark.parametrize("flags", [(), ("--preset=mnist",), ("--dataset=folder:/nowhere",)])
def test_images_are_refused_before_anything_is_read(flags, tmp_path, capsys):
    assert command.run(["--live", *flags, f"--workdir={tmp_path / 'run'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--live: --dataset=" in line
    assert "choose --preset=gaussians_1d, ring, grid" in line
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


def text(name):
    return f"document.getElementById('{name}').textContent"


# How many of the picture's pixels are near a colour of the page.
PIXELS = """(name => {
const canvas = document.getElementById('picture'), wanted = colours[name];
const [r, g, b] = [1, 3, 5].map(i => parseInt(wanted.slice(i, i + 2), 16));
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
let count = 0;
for (let i = 0; i < data.length; i += 4)
  count += Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24;
return count;
})"""


@browsers.needs_browser
@pytest.mark.parametrize(
    ("preset", "names", "hint"),
    [
        ("ring", ["fake"], "a mode that G misses"),
        pytest.param("gaussians_1d", ["fake", "d", "best"], "D*", marks=pytest.mark.faults),
    ],
)
def test_the_page_with_keys_and_buttons(tmp_path, start, browser, preset, names, hint):
    from selenium.webdriver.common.keys import Keys

    training = start(config_of(preset), tmp_path)
    browsers.screen(browser, 1280)
    browser.get_log("browser")  # Of the page before, whose training has gone.
    browser.get(training.address)
    body = browser.find_element("tag name", "body")

    def at_step(step, state):
        where = f"{text('at')} === '{step} of {STEPS}' && {text('state')}.startsWith('{state}')"
        browsers.until(browser, f"return {where}")

    at_step(1, "Paused between two steps.")
    assert browser.find_element("id", "pause").text == "Resume"
    body.send_keys(Keys.ARROW_RIGHT)
    at_step(2, "Paused")
    browser.find_element("id", "step").click()
    at_step(3, "Paused")
    body.send_keys("r")
    at_step(0, "Paused between two steps. Again from step 0: nothing is written until step 3.")
    looks = browser.find_element("id", "look").text
    assert "V = −log 4 = −1.386" in looks
    assert hint in looks

    colours = []
    for dark in (False, True):
        for width in (1280, 320):
            browsers.screen(browser, width, dark)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            for name in names:
                assert browsers.until(browser, f"return {PIXELS}('{name}') > 20")
        colours.append(
            browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        )
    assert colours[0] != colours[1]

    body.send_keys(Keys.SPACE)
    at_step(STEPS, "The last step is done and saved.")
    assert not browser.find_element("id", "pause").is_enabled()
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    training.end()
    ended = f"return {text('message')}.includes('the run is saved at step {STEPS}')"
    assert browsers.until(browser, ended)
    gone = f"return {text('message')}.startsWith('The training cannot be reached.')"
    assert browsers.until(browser, gone)
    assert not browser.find_element("id", "reset").is_enabled()
    browser.get("about:blank")
