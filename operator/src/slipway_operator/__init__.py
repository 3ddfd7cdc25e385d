"""The release engine of Slipway.

``spec`` (the custom resources, as models) → ``planning`` (what is observed and wanted → the next steps; pure) →
``runtimes`` (observe and carry out the steps, on Kubernetes and on a laptop) → ``kubectl`` (``kubectl slipway``).
``errors`` has every error of the package; ``python -m slipway_operator`` is the operator's process.
"""
