import pytest

from support.charts import CASES, case_id, render


@pytest.fixture(name="case", params=CASES, ids=case_id)
def _case(request):
    return request.param


@pytest.fixture(name="objects")
def _objects(case):
    return render(case.parent.parent.name, case)
