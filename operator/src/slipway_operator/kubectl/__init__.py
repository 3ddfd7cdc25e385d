"""``kubectl slipway``: see, explain and decide releases from a terminal.

cluster (kubectl as a process) → snapshot (what was read) → tree, explaining, release_patches (pure) → screen, commands
"""
