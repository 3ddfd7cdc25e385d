"""The shop in a real browser: Chromium, against a running shop (``shop.url``)."""

import shutil
import uuid

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from support.tools import needs

pytestmark = [
    pytest.mark.demo,
    pytest.mark.timeout(300),
    needs("chromium", "chromium"),
    needs("chromedriver", "chromium-driver"),
]
SECONDS = 30
PASSWORD = "correct horse battery"  # noqa: S105 # of an account that the test makes


class Visitor:
    """Somebody with a browser, who fills in forms and follows links."""

    def __init__(self, url, *, scripts):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(argument)
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Selenium would look for a browser in the network where it is not told.
        options.binary_location = shutil.which("chromium") or ""
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        self.url = url

    def open(self, path):
        self.driver.get(self.url + path)

    def fill(self, **fields):
        for name, text in fields.items():
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(text)

    def press(self, text):
        self.driver.find_element(By.XPATH, f"//main//button[contains(., '{text}')] | //body/form//button").click()

    def follow(self, text):
        self.driver.find_element(By.PARTIAL_LINK_TEXT, text).click()

    def wait(self, condition):
        return WebDriverWait(self.driver, SECONDS, 0.1, [StaleElementReferenceException]).until(lambda _: condition())

    def heading(self):
        return self.driver.find_element(By.TAG_NAME, "h1").text

    def state(self):
        return self.driver.find_element(By.CSS_SELECTOR, "[data-status]").text

    def sees(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def sign_up_and_in(self):
        email = f"{uuid.uuid4().hex}@example.org"
        self.open("/sign-up")
        self.fill(name="Ada", email=email, password=PASSWORD)
        self.press("Sign up")
        self.wait(lambda: "/oauth/authorize" in self.driver.current_url)
        self.fill(email=email, password=PASSWORD)
        self.press("Sign in")
        self.wait(lambda: self.driver.current_url == f"{self.url}/")
        self.wait(lambda: self.sees(".who"))

    def order_something(self):
        """Orders the first item that is in stock."""
        self.open("/")
        [stocked, *_] = self.driver.find_elements(By.XPATH, "//main//li[contains(., 'in stock')]//a")
        stocked.click()
        self.wait(lambda: self.sees("#quantity"))
        self.fill(quantity="1")
        self.press("Order")
        self.wait(lambda: self.sees("[data-status]"))


@pytest.fixture(name="visitor_of")
def _visitor_of(shop):
    visitors = []

    def visitor_of(*, scripts):
        visitors.append(Visitor(shop.url.rstrip("/"), scripts=scripts))
        return visitors[-1]

    yield visitor_of
    for visitor in visitors:
        visitor.driver.quit()


def test_an_order_becomes_payable_before_the_visitors_eyes_and_is_paid(visitor_of):
    visitor = visitor_of(scripts=True)
    visitor.sign_up_and_in()
    visitor.order_something()
    # A reload would lose this.
    visitor.driver.execute_script("window.neverReloaded = true")

    visitor.wait(lambda: visitor.state() == "confirmed")
    visitor.wait(lambda: visitor.sees("#card"))
    assert visitor.driver.execute_script("return window.neverReloaded") is True

    Select(visitor.driver.find_element(By.ID, "card")).select_by_value("card-declined")
    visitor.press("Pay")
    visitor.wait(lambda: "declined" in "".join(alert.text for alert in visitor.sees("[role=alert]")))
    Select(visitor.driver.find_element(By.ID, "card")).select_by_value("card-ok")
    visitor.press("Pay")
    visitor.wait(lambda: visitor.state() == "paid")
    visitor.follow("Orders")
    visitor.wait(lambda: visitor.heading() == "Your orders")
    assert "paid" in visitor.driver.find_element(By.TAG_NAME, "main").text
    # The browser notes the declined card (402), and that the sign-in page has no icon; nothing else went wrong, the
    # policy included.
    noted = [entry["message"] for entry in visitor.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [message for message in noted if "402" not in message and "favicon" not in message] == []


def test_without_scripts_the_page_shows_the_state_when_it_is_loaded_again(visitor_of):
    visitor = visitor_of(scripts=False)
    visitor.sign_up_and_in()
    visitor.order_something()

    assert visitor.state() in {"placed", "confirmed"}
    assert visitor.sees("noscript p")

    def confirmed():
        visitor.driver.refresh()
        return visitor.state() == "confirmed"

    visitor.wait(confirmed)
    visitor.press("Pay")
    visitor.wait(lambda: visitor.state() == "paid")
