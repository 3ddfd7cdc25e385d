"""The runtime that releases on Kubernetes. Each room knows those before it alone.

``api`` (logins; requests, of which every write is fenced; kinds) → ``objects`` (manifests of
children, pure) → ``observe`` (fetches all of one service; what the planner sees of it; who consumes) · ``gates`` (what
a version must pass) → ``act`` (the planner's steps, drift, adoption) · ``plan_reconciler`` → ``reconciler`` (one look
and what follows) → ``process`` (kopf as transport, the queue, the Lease, probes, settings). ``metrics`` count.
"""
