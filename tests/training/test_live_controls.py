"""The live view's buttons and frames without a GAN: who waits for whom, and who may ask."""

import contextlib
import json
import socket
import threading

import pytest
import urllib3

from gan_keras.errors import UserError
from gan_keras.training import live
from gan_keras.training.live import server

PATIENCE = 60  # seconds; reached only where a test fails


class Game:
    """A training without steps: its thread is the test's own, its clock a number."""

    def __init__(self):
        self.now, self.stopped, self.step, self.made = 0.0, False, 0, 0
        self.controls = live.Controls(stop=lambda: self.stopped, clock=lambda: self.now)

    def frame(self):
        self.made += 1
        return {"step": self.step}

    def between(self):
        self.step += 1
        return self.controls.between(self.frame)


@contextlib.contextmanager
def reader(controls, key=""):
    """A reader that waits for a frame on a thread of its own; yields the list it will be in."""
    frames = []
    thread = threading.Thread(
        target=lambda: frames.append(json.loads(controls.newer(key, PATIENCE))), daemon=True
    )
    thread.start()
    with controls._changed:
        assert controls._changed.wait_for(lambda: controls._waiting, PATIENCE)
    yield frames
    thread.join(PATIENCE)
    assert frames


def test_no_frame_is_made_while_nobody_asks():
    game = Game()
    for _ in range(100):
        game.now += 1
        assert not game.between()
    assert game.made == 0


def test_ten_frames_a_second_and_the_newest_to_whoever_asks():
    game = Game()
    key, steps = "", []
    for _ in range(10):
        with reader(game.controls, key) as frames:
            while not (game.made > len(steps)):
                game.between()
                game.now += 0.03
        key = frames[0]["key"]
        steps.append(frames[0]["step"])
    # Due at 0, 0.1, 0.2, ... seconds: a step takes 0.03.
    assert steps == [1, 5, 8, 11, 15, 18, 21, 25, 28, 31]
    assert game.controls.newer(key, 0) is None


def test_a_pause_ends_with_a_button_or_a_signal():
    game = Game()
    game.controls.press("step")
    assert game.between()  # One step may run, and the next comes back to the pause.
    assert game.controls.paused
    for _ in range(3):
        game.controls.press("step")
        assert game.between()
    game.controls.press("resume")
    assert not game.between()
    game.controls.press("pause")
    game.stopped = True
    assert game.between()
    assert game.controls.over


def test_a_reader_sees_a_paused_game_and_the_buttons_that_follow():
    game = Game()
    game.controls.press("pause")
    paused = threading.Thread(target=game.between, daemon=True)
    paused.start()
    frame = json.loads(game.controls.newer("", PATIENCE))
    assert (frame["state"], frame["step"]) == ("paused", 1)
    with reader(game.controls, frame["key"]):
        game.controls.press("step")
        paused.join(PATIENCE)
        assert not paused.is_alive()
        stepped = threading.Thread(target=game.between, daemon=True)
        stepped.start()
    game.controls.press("reset")
    stepped.join(PATIENCE)
    assert not stepped.is_alive()
    assert game.controls.over
    assert game.controls.paused  # A game that starts again is paused as it was.
    assert game.controls.start_again()
    assert not game.controls.over


def test_the_last_step_is_shown_until_the_game_starts_again():
    game = Game()
    held = threading.Thread(target=lambda: game.controls.hold(game.frame), daemon=True)
    held.start()
    assert json.loads(game.controls.newer("", PATIENCE))["state"] == "ended"
    game.controls.press("reset")
    held.join(PATIENCE)
    assert not held.is_alive()
    assert game.controls.start_again()


@pytest.fixture
def served():
    game = Game()
    game.controls.begin({"dataset": "ring"})
    with live.serve(game.controls, 0) as address:
        yield game, address


def ask(address, method="GET", path="", **headers):
    return urllib3.request(method, address + path, headers=headers, retries=False, timeout=PATIENCE)


def test_frames_and_buttons_over_http(served):
    game, address = served
    assert ask(address, path="game").json() == {"dataset": "ring"}
    game.controls.show(game.frame)
    frame = ask(address, path="frame?after=").json()
    assert (frame["step"], frame["state"]) == (0, "running")
    assert ask(address, "POST", "pause", **{server.HEADER: "1"}).status == 204
    assert game.controls.paused
    assert ask(address, "POST", "jump", **{server.HEADER: "1"}).status == 404
    assert ask(address, path="elsewhere").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://example.org", server.HEADER: "1"},
        {"Origin": "null", server.HEADER: "1"},
        {"Host": "example.org", server.HEADER: "1"},
        {"Host": "127.0.0.1.example.org:80", server.HEADER: "1"},
        {"Sec-Fetch-Site": "cross-site", server.HEADER: "1"},
        {"Content-Length": "4", server.HEADER: "1"},
    ],
    ids=str,
)
def test_no_other_page_can_press_a_button(served, headers):
    game, address = served
    assert ask(address, "POST", "pause", **headers).status in (400, 403)
    assert not game.controls.paused


@pytest.mark.parametrize("headers", [{"Host": "example.org"}, {"Sec-Fetch-Site": "same-site"}])
def test_no_other_page_can_look(served, headers):
    game, address = served
    for path in ("", "game", "frame"):
        assert ask(address, path=path, **headers).status == 403
    assert not game.controls.opened


def test_a_tunnel_may_have_another_port(served):
    _, address = served
    origin = {"Host": "localhost:9", "Origin": "http://localhost:9"}
    assert ask(address, path="game", **origin).status == 200


def test_only_this_machine_is_listened_to(served):
    assert server.ADDRESS == "127.0.0.1"
    assert served[1].startswith("http://127.0.0.1:")


def test_the_page_takes_nothing_from_elsewhere(served):
    answer = ask(served[1])
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'sh"
    )
    text = answer.data.decode()
    assert "function drawPlane" in text
    assert "http:" not in text
    assert "https:" not in text


def test_silent_readers_hold_up_nothing(served):
    """Connections that send nothing, ask for a frame and take none, or are too many."""
    game, address = served
    host, port = address.split("/")[2].split(":")
    with contextlib.ExitStack() as stack:
        for i in range(server.MOST_CONNECTIONS + 8):
            silent = stack.enter_context(socket.create_connection((host, int(port))))
            if i % 2:
                silent.sendall(b"GET /frame HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with game.controls._changed:
            assert game.controls._changed.wait_for(lambda: game.controls._waiting, PATIENCE)
        for _ in range(3):
            game.now += 1
            assert not game.between()
        assert game.made == 1 or game.controls._waiting


def fail_while_a_reader_waits(game, key, found):
    with live.serve(game.controls, 0) as address:
        thread = threading.Thread(
            target=lambda: found.append(ask(address, path=f"frame?after={key}").json()),
            daemon=True,
        )
        thread.start()
        with game.controls._changed:
            assert game.controls._changed.wait_for(lambda: game.controls._waiting, PATIENCE)
        found.append(thread)
        raise UserError("step 7: d_loss is not finite")


def test_how_a_training_ended_reaches_a_reader_that_waits():
    game, found = Game(), []
    game.controls.show(game.frame)
    key = json.loads(game.controls.newer("", 0))["key"]
    with pytest.raises(UserError):
        fail_while_a_reader_waits(game, key, found)
    found.pop(0).join(PATIENCE)
    (last,) = found
    assert last["state"] == "closed"
    assert last["message"] == "The training has ended: step 7: d_loss is not finite"
    assert last["step"] == 0


def test_a_port_in_use_is_one_line():
    game = Game()
    with live.serve(game.controls, 0) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with pytest.raises(UserError, match=f"--live_port={port}: .*; choose another, or 0"):
            live.serve(game.controls, port).__enter__()
