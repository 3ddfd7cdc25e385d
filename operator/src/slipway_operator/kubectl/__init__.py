"""``kubectl slipway``: see, explain and decide releases from a terminal.

cluster (kubectl as a process) → picture (what was read) → tree, explaining, deciding (pure) → screen, commands
"""
