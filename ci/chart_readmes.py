"""Writes charts/CHART/README.md of each chart, or those named."""

import sys
from pathlib import Path

from slipway_chassis.scaffold import chart_readme
from slipway_chassis.scaffold.chart_readme import Chart, loaded

CHARTS = Path(__file__).parent.parent / "charts"
LIBRARY = "service"


def read(chart: str) -> Chart:
    about, values, schema = (
        (CHARTS / chart / name).read_text() for name in ("Chart.yaml", "values.yaml", "values.schema.json")
    )
    built_on_library = any(each["name"] == LIBRARY for each in loaded(about).get("dependencies", []))
    library = (CHARTS / LIBRARY / "values.yaml").read_text() if built_on_library else ""
    return Chart(about, values, schema, library)


def readme(chart: str) -> str:
    texts = read(chart)
    install = f"helm install {chart} oci://REGISTRY/charts/{chart} --version {loaded(texts.about)['version']}"
    return chart_readme.readme(texts, made_by="make generate", install=f"{install} --values my-values.yaml")


def main(charts: list[str]) -> None:
    made = [path.parent.name for path in sorted(CHARTS.glob("*/values.schema.json"))]
    for chart in charts or made:
        (CHARTS / chart / "README.md").write_text(readme(chart))


if __name__ == "__main__":
    main(sys.argv[1:])
