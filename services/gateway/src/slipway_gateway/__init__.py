"""The gateway: one source of Envoy's configuration, for the chart and for the local runtime.

``settings`` (what can be set, checked) · ``reading`` (from YAML, with addresses of this machine) · ``envoy``
(settings to Envoy's configuration, built from ``listeners``, ``filters``, ``routing``, ``clusters`` and
``answers``) · ``binary`` (finds and asks Envoy) · ``draining`` (before a pod ends) · ``development_ca`` ·
``schema`` (of the chart's values) · ``cli`` (``slipway gateway``). All but the last five are pure.
"""
