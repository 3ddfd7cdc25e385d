"""gRPC with what HTTP has: deadlines, tokens and scopes, traces, metrics, errors as statuses, health, drain.

``server`` (what a service answers) · ``edge`` (what is done around every call) · ``client`` (calls to
others, balanced over the pods of a headless Service).
"""
