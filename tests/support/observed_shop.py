"""The shop with real stores beside it, which are asked as people and dashboards ask them; rules at a quicker pace."""

import http.client
import json
import re
import threading
import urllib.parse

from slipway_operator.runtimes.local.console.processes import everything_of
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.state import replace_file
from slipway_operator.runtimes.local.stores.stores import Stores
from slipway_operator.runtimes.local.system import read
from support.repository import ROOT
from support.shop_world import World, impatient

FACTOR = 60  # an hour is a minute
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEVELS = "LOG_LEVEL=DEBUG TRACE_SAMPLE_RATIO=1"


def quicker(rules):
    """The rules with each duration divided by FACTOR: windows, ``for``, and ages in seconds that a gauge may have.
    Nothing else of them is changed.
    """
    windows = re.sub(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=for: )(\d+)([smhd])", _divided, rules)
    return re.sub(r"(?<=_seconds\) > )(\d+)", lambda found: str(int(found[0]) / FACTOR), windows)


def _divided(found):
    number, unit = found[1] or found[3], found[2] or found[4]
    return f"{int(number) * UNITS[unit] * 1000 // FACTOR}ms"


class ObservedShop:
    """As `slipway up --observe`; what dies is started again, except while ``world.held()``."""

    def __init__(self, folder, machine, *, gateway, base):
        self.told = []
        layout = Layout(folder, gateway=gateway, base=base)
        rules = quicker((ROOT / "k8s/monitoring/rules.yaml").read_text())
        tell = lambda what, said: self.told.append((what, said))  # noqa: E731
        self.stores = Stores(layout, project=ROOT, machine=machine, tell=tell, rules=rules)
        platform = Platform(
            layout, impatient(read(ROOT)), machine=machine, tell=lambda *_: None, settings=self.stores.settings
        )
        self.world = World(platform)
        self.layout = layout

    def __enter__(self):
        self._set_levels()
        try:
            self.stores.start(lambda: everything_of(self.world.platform))
            self.world.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.world.stop()
        self.stores.stop()

    def _set_levels(self):
        for service in self.world.platform.services:
            file = self.layout.levels(service.name)
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, LEVELS)

    def store(self, name):
        [child] = [child for child in self.stores.children if child.name == name]
        return child

    # --- questions
    def query(self, expression):
        """What an instant query gives: a list of labels and values. AssertionError where it can't be read."""
        answer = ask(self.stores.ports.prometheus, "/api/v1/query", {"query": expression})
        return json.loads(answer)["data"]["result"] if answer else []

    def firing(self):
        """Names of the alerts that Alertmanager shows now."""
        answer = ask(self.stores.ports.alertmanager, "/api/v2/alerts")
        return {alert["labels"]["alertname"]: alert for alert in json.loads(answer or "[]")}

    def lines(self, query):
        """Log lines that VictoriaLogs finds by LogsQL."""
        answer = ask(self.stores.ports.victoria_logs, "/select/logsql/query", {"query": query})
        return [json.loads(line) for line in answer.splitlines()]

    def lines_about(self, order):
        """Those that have the order's id, and all of the requests and traces of these, as docs/observe.md asks."""
        words = f'*:"{order}"'
        joined = (f"{name}:in({words} | fields {name})" for name in ("trace.id", "http.request.id"))
        return self.lines(" or ".join(joined))


def ask(port, path, parameters=None):
    """The text of an answer with 200; none from a store that is being started again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", f"{path}?{urllib.parse.urlencode(parameters or {})}")
        answer = connection.getresponse()
        text = answer.read().decode()
    except ConnectionError:
        return ""
    finally:
        connection.close()
    if answer.status == http.client.SERVICE_UNAVAILABLE:  # as Prometheus says while it reads its log
        return ""
    assert answer.status == 200, (path, answer.status, text)
    return text


class Asking:
    """A client that asks without a break, in a thread, while the block runs; ``statuses`` is what it was answered."""

    def __init__(self, customer, method, path, body=None):
        self._ask = lambda: customer.call(method, path, body)
        self.statuses = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                status, _ = self._ask()
            except (OSError, http.client.HTTPException, ValueError):
                status = 0
            self.statuses.append(status)
