"""The page in a real browser: Chromium, against a console whose facts are made up here."""

import shutil
import time

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from slipway_chassis.errors import ChassisError
from slipway_operator.console import model
from slipway_operator.console.board import Source
from slipway_operator.console.place import Place
from slipway_operator.console.server import Console
from support.tools import needs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    needs("chromium", "chromium"),
    needs("chromedriver", "chromium-driver"),
]
HOSTILE = "<img src=x onerror=alert(1)>"
TOKEN = "0123456789abcdef"  # noqa: S105 # of this test
SECONDS = 30
NOW = time.time()


def release():
    steps = (
        model.Step("Migrating", "the database is made ready", NOW - 20, NOW - 15),
        model.Step("Starting", "its processes start", NOW - 15, NOW - 8),
        model.Step("Checking", "its gates are asked", NOW - 8, NOW - 6),
        model.Step("HandingOver", "the old consumer finishes, commits and leaves", NOW - 6),
    )
    gates = (model.GateResult("contracts", "2", "Passed", "3 changes, none breaks anybody", NOW - 8, NOW - 6),)
    return model.Release("2", "Release", NOW - 20, steps=steps, gates=gates, handover=model.Handover(NOW - 6))


def services():
    orders = model.ServiceView(
        "orders", "dev", "1", "2", "1/1", "Waiting", f"Waiting Promoting: {HOSTILE}", True, ("promote", "abort"),
        (model.KeptVersion("2", "is being released"), model.KeptVersion("dev", "answers requests")), release(),
    )  # fmt: skip
    past = model.Release("3", "Undo", NOW - 90, NOW - 60, "Failed", "GateFailed: contracts: /v1/users lost name",
                         (model.Step("Checking", "", NOW - 90, NOW - 60, failed=True),), pause=0.8)  # fmt: skip
    users = model.ServiceView(
        "users", "1", "dev", "", "1/1", "Released", "Released", actions=("rollback",), release=past
    )
    return [
        orders,
        users,
        model.ServiceView("inventory", trouble="state.json can't be read: slipway up writes it anew"),
    ]


def streams():
    group = model.Consumers("users", "Stable", ("users-consumer-1-vm",), (model.Lag("orders.order.v1", 12, 900),))
    left = model.Consumers("inventory", "Empty", (), (model.Lag("orders.order.v1", 40, 900),))
    return model.Streams(
        (("orders.order.v1", 900),), (group, left), (model.DeadLetters("orders.order.v1", "users", 3),)
    )


def processes():
    yield model.ProcessView("orders worker", "dev", "starting", 41, falls=2, fell=time.time() - 3)
    yield model.ProcessView("users http", "1", "ready", 42, 18010)


class World:
    def __init__(self):
        self.done, self.said = [], HOSTILE

    def place(self):
        def away():
            raise ChassisError("its database does not answer")

        key = model.ParkedKey("orders.order.v1", HOSTILE, 2)
        boxes = [
            model.Outbox("orders", 17, 41.5),
            model.Outbox("users", 0, 0.0, 1, (key,)),
            model.Outbox("inventory", trouble="away"),
        ]
        breakers = (
            model.Breaker("orders http dev", "inventory", "open", 7),
            model.Breaker("orders http dev", "users", "closed"),
        )
        return Place(
            HOSTILE,
            sources=[
                Source("services", services),
                Source("processes", lambda: list(processes())),
                Source("streams", streams),
                Source("outboxes", lambda: boxes),
                Source("gauges", lambda: model.Gauges(breakers, silent=(("users worker 1", "refused"),))),
                Source("happenings", lambda: [model.Happening(NOW, "orders worker", self.said, fall=True)]),
            ],
            questions={"logs": self._logs, "way": self._way, "letters": self._letters},
            actions={"promote": self._done, "replay": self._done, "abort": lambda _: away(), "rollback": self._done},
        )

    def _done(self, words):
        self.done.append(dict(words))
        return "done"

    def _logs(self, words):
        line = {"at": NOW, "service": "orders", "process": "http", "version": "2", "level": "error", "trace": ""}
        return {"lines": [{**line, "said": HOSTILE}, {**line, "said": words["about"], "level": "info"}], "left_out": 3}

    def _way(self, _):
        span = {
            "service": "orders",
            "process": "worker",
            "version": "2",
            "trace": "t",
            "failed": False,
            "name": HOSTILE,
        }
        kinds = ["gateway", "http", "grpc", "outbox", "kafka", "line"]
        return {
            "events": True,
            "spans": [
                {**span, "kind": kind, "began": NOW + n / 9, "ended": NOW + n / 9 + 0.2, "failed": n == 2}
                for n, kind in enumerate(kinds)
            ],
        }

    def _letters(self, _):
        letter = {"at": "0:7", "key": HOSTILE, "type": "orders.OrderPlaced.v1", "reason": "failed", "time": "12:00"}
        return {"letters": [{**letter, "exception": HOSTILE, "value": HOSTILE}]}


class Reader:
    """Somebody with a browser."""

    def __init__(self, url):
        options = webdriver.ChromeOptions()
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--lang=en",
            "--hide-scrollbars",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Selenium would look for a browser in the network where it is not told.
        options.binary_location = shutil.which("chromium") or ""
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        self.driver.get(url)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector="main"):
        return self.driver.execute_script("return document.querySelector(arguments[0])?.textContent || ''", selector)

    def wait(self, condition):
        return WebDriverWait(self.driver, SECONDS, 0.1).until(lambda _: condition())

    def script(self, text):
        return self.driver.execute_script(text)

    def looks(self, folder, name, *, scheme="light", width=1280):
        """A screenshot of the whole page; returns by how many pixels it is wider than its window."""
        medium = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", medium)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        height = self.script("return document.documentElement.scrollHeight")
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "height": min(height, 4000)})
        self.driver.save_screenshot(str(folder / f"{name}.png"))
        return self.script("return document.documentElement.scrollWidth") - width


@pytest.fixture(name="world", scope="module")
def _world():
    return World()


@pytest.fixture(name="reader", scope="module")
def _reader(world):
    console = Console(world.place(), port=0, token=TOKEN)
    console.start()
    reader = Reader(f"http://127.0.0.1:{console.port}/")
    yield reader
    reader.driver.quit()
    console.close()


def test_everything_is_there_and_hostile_text_stays_text(reader):
    reader.wait(lambda: "orders.order.v1" in reader.text("#flow") and "orders worker" in reader.text("#processes"))
    reader.find("#about").send_keys("0198c0de", Keys.ENTER)
    reader.wait(lambda: HOSTILE in reader.text("#found"))
    for said in (
        "the old consumer finishes", "contracts", HOSTILE, "state.json can't be read", "12 behind", "nobody reads",
        "dead letters: 3", "users worker 1 does not answer", "17 pending", "parked keys: 1",
    ):  # fmt: skip
        assert said in reader.text(), said
    assert "orders worker ended by itself" in reader.text("#attention")
    assert reader.script("return document.querySelectorAll('main img').length") == 0
    assert reader.text("#place") == HOSTILE
    assert reader.find("[data-stage=HandingOver]").get_attribute("aria-current") == "step"


def test_it_looks_right_in_light_dark_on_a_phone_and_in_chinese(reader, tmp_path):
    assert reader.looks(tmp_path, "light") == 0
    assert reader.looks(tmp_path, "dark", scheme="dark") == 0
    assert reader.looks(tmp_path, "phone", width=380) <= 0
    background = "return getComputedStyle(document.body).backgroundColor"
    light = reader.script(background)
    reader.looks(tmp_path, "dark-again", scheme="dark")
    assert reader.script(background) != light
    reader.find("#language").click()
    reader.wait(lambda: "事件流" in reader.text("#flow h2"))
    assert reader.looks(tmp_path, "chinese") == 0
    assert reader.script("return document.documentElement.lang") == "zh-CN"
    assert "移交事件" in reader.text("#services")
    reader.find("#language").click()


def test_it_is_live_without_a_reload_and_keeps_the_focus(reader, world):
    reader.script("window.neverReloaded = true; document.querySelector('[data-key=\"told\"]').focus()")
    world.said = "something new"
    reader.wait(lambda: "something new" in reader.text("#happenings"))
    assert reader.script("return window.neverReloaded && document.activeElement.dataset.key") == "told"


def test_an_action_is_asked_for_by_keyboard_and_needs_the_token(reader, world):
    reader.find('[data-key="promote-orders"]').send_keys(Keys.ENTER)
    reader.wait(lambda: reader.find("#dialog").get_attribute("open"))
    reader.find("#token").send_keys("wrong", Keys.ENTER)
    reader.wait(lambda: "this needs the token" in reader.text("#dialog-error"))
    assert not world.done
    reader.find("#token").clear()
    reader.find("#token").send_keys(TOKEN, Keys.ENTER)
    reader.wait(lambda: not reader.find("#dialog").get_attribute("open"))
    assert world.done == [{"action": "promote", "service": "orders"}]
    reader.find('[data-key="abort-orders"]').click()
    reader.find("#confirm").click()
    reader.wait(lambda: "its database does not answer" in reader.text("#dialog-error"))
    reader.find("#cancel").click()


def test_letters_are_looked_at(reader):
    reader.find('[data-key="look-orders.order.v1-users"]').click()
    reader.wait(lambda: "OrderPlaced" in reader.text("#letters"))
    assert HOSTILE in reader.text("#letters")


def test_the_browser_had_nothing_to_complain_about(reader):
    """No script failed and nothing broke the page's policy; that a wrong token is refused is no complaint."""
    found = [entry["message"] for entry in reader.driver.get_log("browser")]
    assert [each for each in found if "401" not in each and "409" not in each] == []
