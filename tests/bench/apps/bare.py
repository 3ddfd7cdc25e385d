"""A bare Flask view: what everything else is compared with."""

from flask import Flask, jsonify

app = Flask("bare")


@app.get("/v1/items/<int:number>")
def show(number):
    return jsonify(id=number, name="tea", price_cents=350, tags=["hot", "green"])
