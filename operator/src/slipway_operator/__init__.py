"""The release engine of Slipway. Today it holds the local runtime; planning and Kubernetes come next."""
