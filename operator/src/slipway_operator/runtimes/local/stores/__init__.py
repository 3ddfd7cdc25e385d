"""``slipway up --observe``: stores of metrics, alerts, log lines and traces beside what runs.

They are programs of others; here they are found, configured, fed and kept running. Nothing waits for them.
"""
