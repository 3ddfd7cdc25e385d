"""The protocol is a contract: its lint holds, what would break callers is found, and the code made of it is fresh."""

import shutil
import subprocess
import sys

import pytest

from support.repository import ROOT

TOOLS = subprocess.run(
    [ROOT / "ci" / "tools" / "install.sh", "--path"], capture_output=True, text=True, check=True
).stdout.strip()
PROTO = "services/inventory/proto/inventory/v1/inventory.proto"
MADE = ["services/inventory/src/inventory/entrypoints", "services/storefront/src/storefront/adapters"]


@pytest.fixture(scope="module", name="buf", autouse=True)
def _buf():
    subprocess.run([ROOT / "ci" / "tools" / "install.sh", "buf"], check=True)
    return f"{TOOLS}/buf"


def run(buf, folder, *arguments):
    return subprocess.run([buf, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(name="copy")
def _copy(tmp_path):
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    for folder in ("proto", "proto_vendor"):
        shutil.copytree(ROOT / "services" / "inventory" / folder, tmp_path / "services" / "inventory" / folder)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("string reason = 5;", ""),
        ("uint32 price_cents = 3;", "string price_cents = 3;"),
        ("uint32 price_cents = 3;", "uint32 cents = 3;"),
        ("uint32 price_cents = 3;", "uint32 price_cents = 9;"),
        ("RESERVATION_STATUS_SOLD = 4;", ""),
        ("rpc Release(ReleaseRequest)", "rpc Free(ReleaseRequest)"),
        ("returns (stream WatchStockResponse)", "returns (WatchStockResponse)"),
        ("package inventory.v1;", "package inventory.v2;"),
    ],
)
def test_what_would_break_callers_is_found(buf, copy, before, after):
    file = copy / PROTO
    assert before in file.read_text()
    assert run(buf, copy, "breaking", "--against", str(ROOT)).returncode == 0

    file.write_text(file.read_text().replace(before, after, 1))

    assert run(buf, copy, "breaking", "--against", str(ROOT)).returncode != 0


def test_additions_break_nobody(buf, copy):
    file = copy / PROTO
    file.write_text(file.read_text().replace("uint32 reserved = 5;", "uint32 reserved = 5;\n  string colour = 6;", 1))

    done = run(buf, copy, "breaking", "--against", str(ROOT))

    assert done.returncode == 0, done.stdout


def test_lint_holds_and_can_fail(buf, copy):
    assert run(buf, copy, "lint").returncode == 0
    file = copy / PROTO
    file.write_text(file.read_text().replace("string sku = 1;", "string SKU = 1;", 1))
    assert run(buf, copy, "lint").returncode != 0


def test_the_code_is_made_from_this_file(tmp_path):
    """``make generate`` would change nothing; grpcio-tools is pinned, so the same file gives the same code."""
    vendor = ROOT / "services" / "inventory"
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", "-I", vendor / "proto", "-I", vendor / "proto_vendor",
            f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}", "--include_imports",
            f"--descriptor_set_out={tmp_path}/inventory.binpb", "inventory/v1/inventory.proto",
        ],
        check=True,
    )  # fmt: skip
    for name in ("inventory_pb2.py", "inventory_pb2_grpc.py"):
        fresh = (tmp_path / "inventory" / "v1" / name).read_text().replace("from inventory.v1 import", "from . import")
        for place in MADE:
            assert (ROOT / place / "inventory_v1" / name).read_text() == fresh, "run: make generate"
    descriptors = ROOT / "charts" / "platform" / "files" / "inventory.binpb"
    assert descriptors.read_bytes() == (tmp_path / "inventory.binpb").read_bytes(), "run: make generate"
