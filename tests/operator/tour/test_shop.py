import pytest

from slipway_operator.errors import LessonFailed, NotRunning
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.state import DesiredRelease, Files, Kept, ServiceState
from slipway_operator.runtimes.local.versions import Versions
from slipway_operator.tour.lesson import lesson_of
from slipway_operator.tour.shop import RunningShop
from support.repository import ROOT

BREAKER = lesson_of(ROOT, 4)


@pytest.fixture(name="shop")
def _shop(tmp_path):
    with Layout(tmp_path, gateway=0, base=0).locked():
        yield RunningShop(ROOT, tmp_path, lambda *_: None)


def test_where_nothing_runs_a_lesson_says_so(tmp_path):
    with pytest.raises(NotRunning, match=r"Start it in another terminal \(slipway up\)"):
        RunningShop(ROOT, tmp_path, lambda *_: None).controls("orders")


def test_a_pattern_that_is_about_to_go_counts_as_gone(shop, tmp_path):
    """Who is interrupted between the wish and its end leaves nothing behind."""
    assert not shop.lacks(BREAKER)
    [service] = [each for each in shop.system.services if each.name == "storefront"]
    files = Files(shop.layout.releases("storefront"))
    (tmp_path / "storefront").mkdir()
    version = Versions(files.folder, service).keep(BREAKER.label("x"), source=tmp_path, env={})
    files.write_desired_release(DesiredRelease(version=version.hash))

    assert shop.active("storefront") == "dev"
    assert shop.lacks(BREAKER)
    assert shop.lacks_any("storefront")
    assert not shop.lacks_any("orders")
    with pytest.raises(LessonFailed, match=r"storefront is without a pattern already .*: slipway mend 4 first"):
        shop.require_whole("storefront")


@pytest.mark.parametrize(("kept", "how"), [(True, "pinned"), (False, "version")], ids=["kept", "forgotten"])
def test_the_working_tree_comes_back_also_when_it_is_kept_no_more(shop, kept, how):
    controls = shop.controls("storefront")
    [dev] = [version.hash for version in controls.versions().values() if version.label == "dev"]
    files = Files(shop.layout.releases("storefront"))
    files.write_desired_release(DesiredRelease(version="another"))
    files.write_state(ServiceState(versions={dev: Kept(revision=1)} if kept else {}))

    assert getattr(shop._back(controls, "dev"), how) == dev


def test_the_naive_code_is_the_service_with_one_import_more(shop):
    with shop._naive_code(BREAKER) as folder:
        assert (folder / "src/storefront/naive.py").read_text() == (BREAKER.folder / "naive.py").read_text()
        assert (folder / "src/storefront/__init__.py").read_text().endswith("\nfrom . import naive\n")
        assert (folder / "src/storefront/bootstrap.py").exists()


def test_a_setting_of_a_lesson_names_ports_that_are_there(shop):
    shop.layout.endpoints.mkdir(parents=True)
    address = {"endpoint": {"address": {"socket_address": {"port_value": 4711}}}}
    (shop.layout.endpoints / "users-http.json").write_text(
        f'{{"resources": [{str(address).replace(chr(39), chr(34))}]}}'
    )

    assert shop._filled({"USERS": "http://127.0.0.1:${users_port}"}) == {"USERS": "http://127.0.0.1:4711"}
    with pytest.raises(LessonFailed, match="only this is known: users_port"):
        shop._filled({"USERS": "${parcels_port}"})


def test_a_program_beside_the_shop_is_told_where_each_service_answers(shop):
    assert set(shop.addresses()) == {"USERS", "ORDERS", "STOREFRONT"}
    assert len(set(shop.addresses().values())) == 3


def test_an_unknown_place_is_told_with_those_that_are(shop):
    with pytest.raises(LessonFailed, match="there is no service parcels here, only: users, orders"):
        shop.port_of("parcels")
