"""The page in a real browser."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser, Tab, opened
from explore import served

from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.server import listen, server_at
from zoom_engine.commands.explore.worker import Worker

pytestmark = [
    pytest.mark.ci,
    pytest.mark.slow(15),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

READY = "document.querySelector('#work')?.hidden === false && document.querySelectorAll('.says b').length === 2"
WEIGHT = "Number(document.querySelector('#slider-0').value)"
STATUS = "(document.querySelector('#status')?.textContent ?? '')"
AFTER = "document.querySelector('#after').getAttribute('aria-label')"
CURVES = "document.querySelectorAll('.card-of-target .line').length === 2"
SOCKETS = """
const Original = WebSocket;
globalThis.sockets = [];
globalThis.WebSocket = class extends Original {
  constructor(...given) { super(...given); globalThis.sockets.push(this); }
};
"""
TOLD = """
globalThis.told = [];
new MutationObserver(() => told.push(document.querySelector("#status").textContent))
  .observe(document.querySelector("#status"), {childList: true, characterData: true, subtree: true});
"""
AXE = """axe.run(document).then(({violations}) => violations.flatMap(({id, nodes}) =>
  nodes.map(node => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`)))"""


@pytest.fixture(scope="module")
def address(explorer: Explorer) -> Iterator[str]:
    """A server of small models, one of which draws into the pictures."""
    worker = Worker(explorer)
    with listen("127.0.0.1", 0) as listening:
        server, address = server_at(worker, host="127.0.0.1", port=listening.getsockname()[1])
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        worker.start()
        thread.start()
        yield address
        server.should_exit = True
        thread.join()
        worker.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Tab]:
    tab = browser.tab()
    tab.resize(1160, 800)
    tab.open(address)
    tab.wait(READY)
    yield tab
    assert tab.complaints == []
    origin = address.partition("/#")[0]
    assert {request for request in tab.requests if not request.startswith((origin, "blob:"))} <= {"about:blank"}
    tab.close()


def edit_of(tab: Tab) -> str:
    """What is said of the edited picture."""
    return str(tab.value(AFTER))


def test_keyboard_alone_moves_undoes_and_links(tab: Tab) -> None:
    assert "token" not in tab.value("location.href"), "it stays out of what people copy"
    before = edit_of(tab)
    tab.value("document.querySelector('#slider-0').focus()")
    for _ in range(12):
        tab.press("ArrowRight")
    assert tab.value(WEIGHT) == pytest.approx(12 * 18 / 50)
    tab.wait("document.querySelector('#after').getAttribute('aria-label').includes('smiling +4.3')")
    assert "beyond" not in tab.value("document.querySelector('#slider-0').getAttribute('aria-valuetext')")
    tab.wait("location.hash.includes('weights=0:4.32')")
    tab.wait(CURVES)
    assert tab.value("document.querySelector('.score').textContent").startswith("text score ")
    tab.press("z", ctrl=True)
    tab.wait(f"{WEIGHT} === 0")
    tab.wait(f"document.querySelector('#after').getAttribute('aria-label') === {json.dumps(before)}")
    tab.press("z", ctrl=True, shift=True)
    tab.wait(f"Math.abs({WEIGHT} - 4.32) < 1e-6")
    reached = []
    for _ in range(30):
        tab.press("Tab")
        reached.append(tab.value("document.activeElement.id || document.activeElement.textContent.trim()"))
    for name in ("slider-1", "Find the smallest edit that flips it", "seed"):
        assert name in reached


def test_a_permalink_opens_the_same_state(tab: Tab, browser: Browser, address: str) -> None:
    tab.value("document.querySelector('#seed').value = 7")
    tab.value("document.querySelector('#seed-form').requestSubmit()")
    tab.value("document.querySelector('#slider-1').focus()")
    tab.press("PageDown")
    tab.wait("location.hash.includes('seed=7') && location.hash.includes('weights=1:-1.8')")
    tab.wait("document.querySelector('#before').getAttribute('aria-label').includes('Seed 7 ')")
    wanted = tab.wait(f"{AFTER}.includes('−1.8') && {AFTER}")  # the picture before the edit may still stand there
    other = browser.tab()
    other.open(tab.value("location.href"))
    other.wait(READY)
    other.wait(f"{AFTER} === {json.dumps(wanted)}")
    other.close()


def test_the_smallest_edit_is_searched_and_its_way_shown(tab: Tab) -> None:
    tab.value("document.querySelectorAll('.actions button')[0].click()")
    told = tab.wait(f"/tried\\.$/.test({STATUS}) && {STATUS}")
    tried = int(told.rpartition(" picture")[0].rpartition(" ")[2])
    assert tried >= 1
    assert tab.value("document.querySelectorAll('#points li').length") == tried
    if told.startswith("Smallest flip"):
        tab.wait("document.querySelector('.says .tag') !== null")


def test_a_lost_connection_comes_back_with_the_state(browser: Browser, address: str) -> None:
    tab = browser.tab()
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=SOCKETS)
    tab.open(address)
    tab.wait(READY)
    tab.value("document.querySelector('#slider-0').focus()")
    tab.press("PageUp")
    tab.wait("location.hash.includes('weights=0:1.8')")
    tab.value(TOLD)
    tab.value("globalThis.sockets.at(-1).close()")
    tab.wait("globalThis.told.some(text => text.startsWith('No connection'))")
    tab.press("PageUp")
    tab.wait("globalThis.sockets.length > 1 && globalThis.sockets.at(-1).readyState === 1")
    tab.wait("document.querySelector('#after').getAttribute('aria-label').includes('smiling +3.6')")
    tab.wait("document.querySelector('#status').classList.contains('warn') === false")
    tab.close()


def test_a_page_without_the_token_says_where_it_is(browser: Browser, address: str) -> None:
    tab = browser.tab()
    tab.open(address.partition("#")[0])
    tab.wait("!!document.querySelector('#status')")
    tab.value("localStorage.clear()")
    tab.call("Page.reload")
    tab.wait(f"{STATUS}.startsWith('This page has no key to the running server: open the address')")
    assert tab.value("document.querySelector('#work').hidden")
    tab.close()


def test_a_hostile_page_in_another_tab_learns_nothing(tab: Tab, browser: Browser, address: str) -> None:
    """A page of another origin that knows the address and even the token gets no connection and reads no answer."""
    origin, _, token = address.partition("/#token=")
    port = origin.rpartition(":")[2]
    other = browser.tab()
    other.open("data:text/html,<title>hostile</title>")
    other.wait("document.title === 'hostile'")
    tried = f"""new Promise(done => {{
      const socket = new WebSocket('ws://127.0.0.1:{port}/socket', ['zoom-engine-explorer', '{token}']);
      socket.onopen = () => done('open');
      socket.onclose = () => done('closed');
    }})"""
    assert other.value(tried) == "closed"
    assert other.value(f"fetch('{origin}/').then(() => 'read', () => 'refused')") == "refused"
    assert other.value(f"fetch('{origin}/static/state.js', {{mode: 'no-cors'}}).then(a => a.type, () => 'no')") == "no"
    other.close()
    assert tab.value(READY)


@pytest.mark.parametrize("width", [1160, 375])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_accessibility_checker_finds_no_violation(tab: Tab, width: int, dark: bool) -> None:
    checker = Path(pytest.importorskip("axe_core_python").__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    tab.call("Page.setBypassCSP", enabled=True)
    tab.resize(width, 800)
    tab.dark(dark)
    tab.value("document.querySelector('#beyond').closest('label').hidden || document.querySelector('#beyond').click()")
    tab.value("document.querySelector('#slider-0').focus()")
    tab.press("PageUp")
    tab.wait(CURVES)
    tab.value(f"{checker};0")
    violations: list[Any] = tab.value(AXE)
    assert violations == []
    assert tab.value("document.documentElement.scrollWidth") <= width


def test_history_and_permalinks_are_exact(tab: Tab) -> None:
    """The modules of the page by themselves."""
    about = {"photographs": ["a"], "targets": [{}, {}], "bound": 30}
    script = f"""import('/static/state.js').then(({{History, fromFragment, toFragment}}) => {{
      const about = {json.dumps(about)}, start = {{image: {{seed: 0}}, weights: [0, 0], target: 0}};
      const state = {{image: {{photograph: 0}}, weights: [1.25, -3], target: 1}};
      const hostile = fromFragment('#seed=-1&weights=0:NaN,9:1,1:1e9,x&target=7&photograph=4', about, start);
      const past = new History(start);
      past.commit(state); past.commit(state);
      past.commit({{...state, weights: [2, -3]}}, true);
      const undone = past.undo();
      return [fromFragment(toFragment(state), about, start), hostile, undone, past.undo(), past.redo().weights];
    }})"""
    again, hostile, undone, nothing_left, redone = tab.value(script)
    start = {"image": {"seed": 0}, "weights": [0, 0], "target": 0}
    assert again == {"image": {"photograph": 0}, "weights": [1.25, -3], "target": 1}
    assert hostile == {**start, "weights": [0, 30]}
    assert undone == start
    assert nothing_left is None
    assert redone == [2, -3]


def test_outputs_are_drawn_into_the_pictures_of_the_target_that_is_chosen(tab: Tab) -> None:
    plain = tab.value("document.querySelector('#after').toDataURL()")
    assert tab.value("document.querySelector('#overlay-choice').hidden")
    tab.value("document.querySelectorAll('input[name=target]')[1].click()")
    tab.wait(f"{AFTER}.includes('moved ')")
    drawn = tab.value("document.querySelector('#after').toDataURL()")
    assert drawn != plain
    tab.value("document.querySelector('#overlay').click()")
    assert tab.value("document.querySelector('#after').toDataURL()") == plain


@pytest.fixture
def heed_ctrl_c() -> Iterator[None]:
    """A test run in the background of a shell ignores SIGINT, and the command would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heed_ctrl_c")
@pytest.mark.ci
def test_the_command_serves_the_avatars_and_ends_with_ctrl_c(browser: Browser, tmp_path: Path) -> None:
    options = ["--generator", "avatars", "--target", "avatars:mustache", "--target", "avatars:eyeglasses"]
    options += ["--attribute", "a smiling face", "--attribute", "a face with eyeglasses", "--samples", "256"]
    with served(options, tmp_path) as (process, address):
        tab = browser.tab()
        tab.open(address)
        tab.wait(READY)
        before = float(tab.value("document.querySelectorAll('.says b')[1].textContent"))
        tab.value("document.querySelector('#slider-1').focus()")
        tab.press("PageUp")
        for _ in range(40):
            tab.press("ArrowRight")
        tab.wait(f"Number(document.querySelectorAll('.says b')[1].textContent) > {before} + 0.3")
        tab.wait("!!document.querySelector('.score b')")
        assert tab.complaints == []
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130, "an open page does not hold it"
        tab.wait(f"{STATUS}.startsWith('No connection')")
        tab.close()
    told = (tmp_path / "stderr").read_text().splitlines()
    assert told[-1].startswith("zoom-engine: interrupted")
