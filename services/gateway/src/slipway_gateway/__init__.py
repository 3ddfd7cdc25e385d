"""The gateway: one source of Envoy's configuration, for the chart and for the local runtime.

Pure: ``settings`` (what can be set, checked) · ``envoy`` (settings to Envoy's configuration, built from
``listeners``, ``filters``, ``routing``, ``clusters`` and ``local_replies``) · ``inner`` (how services reach each
other on a laptop) · ``schema`` (of the chart's values).

At the edges: ``settings_file`` (settings from YAML, with addresses of this machine) · ``config_files`` (writes the
configuration) · ``binary`` (finds Envoy, lets it check) · ``draining`` (before a pod ends) · ``development_ca`` ·
``cli`` (``slipway gateway``).
"""
