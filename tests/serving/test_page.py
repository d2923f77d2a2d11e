"""The page at `/`: over HTTP, and in a real browser where Chromium is."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import urllib3

from gan_keras.drawing import images
from gan_keras.exporting import contract
from gan_keras.exporting.interpolation import slerp
from gan_keras.serving import access, page
from gan_keras.serving.settings import ModelSettings
from tests import browser as browsers
from tests.serving.harness import place, save_generator, serving

CARD = {"step": 30, "classes": ["cat", "dog"], "dataset": "digits"}


@pytest.fixture(scope="module")
def paged(saved, tmp_path_factory):
    """A server of `generator`, version 1 with a model card and 2 without, and of `odd`."""
    folder = tmp_path_factory.mktemp("paged")
    save_generator(folder / "walking", walking=True)
    first = place(folder / "walking", folder / "generator", 1)
    (first / contract.MODEL_CARD_FILE).write_text(json.dumps(CARD))
    place(saved / "second", folder / "generator", 2)
    place(saved / "odd", folder / "odd", 7)
    generator = ModelSettings(contract.MODEL_NAME, folder / "generator", None)
    with serving(generator, ModelSettings("odd", folder / "odd"), ports=("rest",)) as running:
        yield running


def test_the_page_takes_nothing_from_elsewhere(paged):
    answer = urllib3.request("GET", f"http://{paged.rest}/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
    text = answer.data.decode()
    assert not re.findall(r"""(?:src|href)=["']?(?!data:)[^"'>]""", text)
    assert "http" not in re.sub(r"`HTTP [^`]*`", "", text).replace("http-equiv", "").lower()


def test_what_the_page_reads(paged):
    plain = {"labels": False, "walk": False, "classes": [], "card": None}
    assert paged.ask("GET", "/page/models") == (
        200,
        {
            "models": [
                {
                    "name": "generator",
                    "versions": [
                        {"version": 2, **plain},
                        {
                            "version": 1,
                            "labels": False,
                            "walk": True,
                            "classes": ["cat", "dog"],
                            "card": "/page/models/generator/versions/1/model_card.json",
                        },
                    ],
                },
                {
                    "name": "odd",
                    "versions": [{"version": 7, **plain}],
                },
            ]
        },
    )
    path = "/page/models/{}/versions/{}/model_card.json"
    assert paged.ask("GET", path.format("generator", 1)) == (200, CARD)
    for model, version, message in (
        ("generator", 2, "model `generator` version 2 has no model card"),
        ("generator", 3, "model `generator` has no version 3 to serve"),
        ("generator", 2**63 - 1, f"model `generator` has no version {2**63 - 1} to serve"),
        ("other", 1, "there is no model `other`"),
    ):
        status, answer = paged.ask("GET", path.format(model, version))
        assert (status, answer) == (404, {"error": message})


@pytest.mark.parametrize(
    ("card", "classes"),
    [
        (None, []),
        ({}, []),
        ({"classes": 5}, []),
        ({"classes": "ab"}, []),
        ({"classes": [7]}, ["7"]),
    ],
)
def test_what_a_model_card_calls_classes(card, classes):
    """It comes with the model, whoever made that."""
    servable = SimpleNamespace(card=card, signature_defs={})
    settings = SimpleNamespace(name="generator")
    model = SimpleNamespace(settings=settings, versions={1: SimpleNamespace(servable=servable)})
    (version,) = page._described(model)["versions"]
    assert version["classes"] == classes


def test_without_the_page_nothing_of_it_is_there(base):
    with serving(ModelSettings(contract.MODEL_NAME, base), page=False) as served:
        for path in ("/", "/page/models"):
            assert served.ask("GET", path)[0] == 404


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsers.chromium(tmp_path_factory.mktemp("browser")) as driver:
        browsers.screen(driver, 1280)  # whichever test comes first
        yield driver


SHOWN = """
const grid = document.getElementById('grid');
if (grid.classList.contains('old') || !grid.querySelector('img')) return null;
if ([...grid.querySelectorAll('img')].some(image => !image.naturalWidth)) return null;
return [...grid.querySelectorAll('li')].map(row => [row.textContent, row.firstChild.href]);
"""
ERROR = """
return !document.getElementById('error').hidden && document.getElementById('message').textContent
"""
SET = """
const field = document.getElementById(arguments[0]);
field.value = arguments[1];
field.dispatchEvent(new Event('change'));
"""


def seeds_shown(driver, first):
    """Waits for the pictures from that seed on; returns seeds and pictures."""
    return browsers.until(
        driver,
        f"const rows = (() => {{{SHOWN}}})(); return rows && rows[0][0] === '{first}' && rows",
    )


@browsers.needs_browser
def test_pictures_by_seed_with_buttons_and_keys(paged, browser):
    from selenium.webdriver.common.keys import Keys

    browsers.screen(browser, 1280)
    browser.get(f"http://{paged.rest}/")
    rows = seeds_shown(browser, 0)
    assert [seed for seed, _ in rows] == [str(seed) for seed in range(16)]
    body = {"signature_name": "png", "inputs": {"seed": list(range(16))}}
    _, answer = paged.ask("POST", "/v1/models/generator:predict", body)
    expected = [f"data:image/png;base64,{row['b64']}" for row in answer["outputs"]]
    assert [picture for _, picture in rows] == expected
    about = browser.find_element("id", "about").text
    assert about == "Model generator, version 2"
    assert re.fullmatch(
        r"16 pictures in \d+ ms, \d+\.\d KiB", browser.find_element("id", "state").text
    )
    browser.find_element("id", "next").click()
    seeds_shown(browser, 16)
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.ARROW_RIGHT)
    seeds_shown(browser, 32)
    body.send_keys(Keys.ARROW_LEFT)
    seeds_shown(browser, 16)
    body.send_keys(Keys.HOME)
    seeds_shown(browser, 0)
    body.send_keys(Keys.ARROW_LEFT)
    seeds_shown(browser, -16)
    # Version 1 has a model card; the address keeps what is shown.
    browser.execute_script(SET, "version", "1")
    card = browsers.until(browser, "return document.getElementById('card')?.href")
    assert card == f"http://{paged.rest}/page/models/generator/versions/1/model_card.json"
    first = seeds_shown(browser, -16)
    browser.refresh()
    assert seeds_shown(browser, -16) == first
    assert "version 1" in browser.find_element("id", "about").text
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert not complaints


PIXELS = """
const canvas = document.getElementById('canvas');
if (!document.getElementById('told').textContent.startsWith(arguments[0])) return null;
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
return [canvas.height, canvas.width, ...data];
"""


@browsers.needs_browser
def test_a_walk_from_one_seed_to_another(paged, browser):
    """Both ends are the pictures of their seeds; between them is that of the arc's middle."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get("about:blank")
    browser.get(f"http://{paged.rest}/#version=2")
    seeds_shown(browser, 0)
    assert not browser.find_element("id", "walk").is_displayed()  # It has no `latents`.
    browser.execute_script(SET, "version", "1")
    browsers.until(browser, "return !document.getElementById('walk').hidden")
    browser.find_element("css selector", "#walk summary").click()
    browser.execute_script(SET, "from", "3")
    browser.execute_script(SET, "to", "-8")
    slide = "const s = document.getElementById('slider'); s.value = arguments[0]; s.oninput();"

    def drawn(place):
        browser.execute_script(slide, str(round(100 * place)))
        script = f"{place:.2f} of the way from 3 to -8,"
        wait = WebDriverWait(browser, browsers.PATIENCE)
        height, width, *data = wait.until(lambda page: page.execute_script(PIXELS, script))
        return np.array(data).reshape(height, width, 4)[..., :3]

    def answered(signature, **inputs):
        path = "/v1/models/generator/versions/1:predict"
        body = {"signature_name": signature, "inputs": inputs}
        return np.array(paged.ask("POST", path, body)[1]["outputs"])

    ends = answered("sample", seed=[3, -8])
    assert np.abs(drawn(0) - ends[0]).max() <= 1
    assert np.abs(drawn(1) - ends[1]).max() <= 1
    middle = slerp(*answered("latents", seed=[3, -8]), 3)[1]
    expected = images.to_uint8(answered("serving_default", latents=[middle.tolist()]))[0]
    assert np.abs(drawn(0.5) - expected.astype(int)).max() <= 1
    assert np.abs(drawn(0.5) - ends[0]).max() > 20


@browsers.needs_browser
@pytest.mark.parametrize("seed", [-(2**63), 2**63 - 1])
def test_seeds_reach_both_ends_of_int64(paged, browser, seed):
    browser.get("about:blank")
    browser.get(f"http://{paged.rest}/#seed={seed}&count=1")
    seeds_shown(browser, seed)
    browser.find_element("id", "next" if seed > 0 else "previous").click()
    seeds_shown(browser, seed)


@browsers.needs_browser
def test_it_fits_a_narrow_screen_and_both_schemes(paged, browser):
    browser.get("about:blank")
    browser.get(f"http://{paged.rest}/#count=64")
    seeds_shown(browser, 0)
    colours = []
    for dark in (False, True):
        browsers.screen(browser, 320, dark)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 320
        style = "return getComputedStyle(document.body)"
        colours.append(
            [browser.execute_script(f"{style}.{each}") for each in ("color", "backgroundColor")]
        )
    lightness = [[sum(map(int, re.findall(r"\d+", each))) for each in pair] for pair in colours]
    (light_text, light_back), (dark_text, dark_back) = lightness
    assert light_back - light_text > 500
    assert dark_text - dark_back > 500
    browsers.screen(browser, 1280)


@browsers.needs_browser
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("#model=odd", r"model `odd` version 7 has no signature `png`; it has .*"),
        ("#seed=seven", r'First seed: "seven" is not a whole number\.'),
        (f"#seed={2**63}", r"First seed: 9223372036854775808 is outside of int64; .*"),
    ],
)
def test_what_goes_wrong_can_be_read_and_mended(paged, browser, where, message):
    browser.get("about:blank")
    browser.get(f"http://{paged.rest}/{where}")
    assert re.fullmatch(message, browsers.until(browser, ERROR))
    if "model" in where:
        browser.execute_script(SET, "model", "generator")
    browser.execute_script(SET, "seed", "5")
    seeds_shown(browser, 5)
    assert browser.execute_script(ERROR) is False


@browsers.needs_browser
def test_the_page_asks_for_the_token(base, browser):
    from selenium.webdriver.common.keys import Keys

    allowed = access.Access(token="0123456789abcdef")
    settings = ModelSettings(contract.MODEL_NAME, base)
    with serving(settings, ports=("rest",), access=allowed) as served:
        browser.get(f"http://{served.rest}/")
        assert browsers.until(browser, ERROR) == access.REFUSED
        browser.find_element("id", "token").send_keys("0123456789abcdef", Keys.ENTER)
        seeds_shown(browser, 0)
        assert browser.execute_script(ERROR) is False


@browsers.needs_browser
def test_a_server_that_is_gone_is_said_to_be(base, browser):
    with serving(ModelSettings(contract.MODEL_NAME, base), ports=("rest",)) as served:
        browser.get(f"http://{served.rest}/")
        seeds_shown(browser, 0)
    browser.find_element("id", "next").click()
    assert browsers.until(browser, ERROR).startswith("The server cannot be reached.")
