"""TensorBoard, opened in a real browser on a run's logs, shows the grid of samples."""

import io
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from PIL import Image

from tests import browser as browsers
from tests.ports import held_ports

pytestmark = browsers.needs_browser

# TensorBoard's page is made of web components: their insides have to be searched one by one.
FIND_IMAGES = """
const found = [];
const search = root => root.querySelectorAll('*').forEach(node => {
  if (node.tagName === 'IMG' && node.naturalWidth)
    found.push([node.src, node.getBoundingClientRect().width]);
  if (node.shadowRoot) search(node.shadowRoot);
});
search(document);
return found;
"""


@pytest.fixture
def tensorboard(small_run):
    """Address of a TensorBoard on the run's logs."""
    (port,) = held_ports(1)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(small_run / "logs")]
    process = subprocess.Popen(
        [*command, "--host=127.0.0.1", f"--port={port}"], stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            if "Press CTRL+C to quit" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def browser(tmp_path):
    with browsers.chromium(tmp_path) as driver:
        driver.set_window_size(1400, 1000)
        yield driver


def test_tensorboard_shows_the_grid(tensorboard, browser, small_run, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{tensorboard}/#images")
    with Image.open(small_run / "samples" / "step-000030.png") as file:
        expected = np.asarray(file)

    def shown(page):
        """Widths on the screen at which the page shows the newest grid."""
        widths = []
        for source, width in page.execute_script(FIND_IMAGES):
            with urllib.request.urlopen(source) as reply:
                pixels = np.asarray(Image.open(io.BytesIO(reply.read())))
            if np.array_equal(pixels, expected):
                widths.append(width)
        return widths

    (width,) = WebDriverWait(browser, 60).until(shown)
    browser.save_screenshot(str(tmp_path / "tensorboard.png"))
    assert width > 50  # Pixels on the screen: it is not hidden.
