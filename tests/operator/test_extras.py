"""Commands whose extra is not installed say in one sentence what installs it."""

import subprocess
import sys

import pytest

STARTS = {
    "kubectl": ("rich", "from slipway_operator.kubectl.entry import main; main()"),
    "kubernetes": ("kopf", "import runpy; runpy.run_module('slipway_operator', run_name='__main__')"),
}


@pytest.mark.parametrize("extra", STARTS)
def test_what_is_missing_is_named_with_its_cure(extra):
    package, start = STARTS[extra]
    code = f"import sys; sys.modules['{package}'] = None; {start}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == f"error: the package {package} is missing: pip install 'slipway-operator[{extra}]'\n"
