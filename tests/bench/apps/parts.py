"""Stands for users and inventory behind the storefront: answers after a delay that a request sets, and counts.

Usage: python parts.py HTTP_PORT GRPC_PORT
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

from storefront.adapters.inventory_v1 import inventory_pb2 as pb
from storefront.adapters.inventory_v1 import inventory_pb2_grpc as pb_grpc

ME = {
    "id": "0190a7c2-9f3e-7c4b-8d21-5e6f7a8b9c0d",
    "name": "Ada",
    "email": "a@example.org",
    "registered_at": "2026-01-01T00:00:00Z",
}
ORDER = {
    "order_id": ME["id"],
    "item": "tea",
    "quantity": 1,
    "total_cents": 350,
    "placed_at": "2026-01-01T00:00:00Z",
    "status": "paid",
}
ANSWERS = {"/v2/users/me": ME, "/v2/users/me/orders": {"orders": [ORDER] * 5}}
DELAYS = {"users": 0.01, "inventory": 0.01}
COUNTS = {"users": 0, "inventory": 0}


class Users(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/set":  # /set?users=5
            name, _, delay = self.path.partition("?")[2].partition("=")
            DELAYS[name] = float(delay)
            answer = dict(COUNTS)
        else:
            COUNTS["users"] += 1
            time.sleep(DELAYS["users"])
            answer = ANSWERS[path]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Inventory(pb_grpc.InventoryServiceServicer):
    def ListItems(self, request, context):
        COUNTS["inventory"] += 1
        time.sleep(DELAYS["inventory"])
        return pb.ListItemsResponse(
            items=[pb.Item(sku=f"tea-{n}", name="Tea", price_cents=350, available=10) for n in range(10)]
        )


def main(http_port, grpc_port):
    server = grpc.server(ThreadPoolExecutor(64))
    pb_grpc.add_InventoryServiceServicer_to_server(Inventory(), server)
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    server.start()
    users = ThreadingHTTPServer(("127.0.0.1", http_port), Users)
    users.request_queue_size = 128
    threading.current_thread().name = "users"
    users.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
