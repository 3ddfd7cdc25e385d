"""The runtime that releases on Kubernetes.

``access`` (where the API server is) · ``kinds`` · ``client`` (requests; every write is fenced) · ``leading`` (the
Lease) → ``objects`` (manifests, pure) · ``looking`` (reads all of one service) · ``observing`` (what the planner sees,
pure) → ``checking`` (gates) · ``executing`` (steps) · ``mending`` (what was edited by
hand) → ``reconciler`` (one look and what follows) · ``queue`` · ``metrics`` · ``handlers`` (kopf as transport) ·
``serving`` (probes and metrics) · ``process`` (all of it together).
"""
