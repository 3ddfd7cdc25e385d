"""What teams usually put around Flask: prometheus-flask-exporter, and opentelemetry-instrument outside."""

from flask import Flask, jsonify
from prometheus_flask_exporter import PrometheusMetrics

app = Flask("usual")
PrometheusMetrics(app, group_by="url_rule")


@app.get("/v1/items/<int:number>")
def show(number):
    return jsonify(id=number, name="tea", price_cents=350, tags=["hot", "green"])
