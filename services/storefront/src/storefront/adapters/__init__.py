"""Ports implemented with real things: other services over HTTP and gRPC, sessions in cookies, threads."""
