"""What ``slipway new`` writes: a service that works, with tests, chart and pipeline.

``naming`` (what a service may be called) · ``project`` (where it comes to lie) · ``rendering`` (templates to
files) · ``chart_readme`` · ``toml_edits`` and ``yaml_edits`` (what is there already gets to know it) · ``planning``
(all of it, checked, before anything is written) · ``writing`` (all or nothing). Beside them are the templates, and the
values and the schema of the library chart, copied by `make generate`: nothing of a checkout is needed.
"""
