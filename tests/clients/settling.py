"""What every Python client does once it has a payment: the phone pays, and everybody has to say so."""

import json
import os
import time
import urllib.request

FENGATE, ADMIN, SANDBOX = os.environ["FENGATE"], os.environ["ADMIN"], os.environ["SANDBOX"]
KEY = "sk-fengate-demo"


def fetch(url: str, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers or {}), timeout=10) as answer:
        return answer.read().decode()


def orders():
    return {order["out_trade_no"]: order for order in json.loads(fetch(f"{SANDBOX}/sandbox/orders"))["orders"]}


def pay(payment: dict) -> dict:
    """Scans and pays; waits until fengate, its page, its metrics and the payment side say paid."""
    assert payment["state"] == "awaiting_user", payment
    told = json.loads(fetch(f"{SANDBOX}/phone/pay", {"code_url": payment["next_action"]["code_url"]}))
    assert told["trade_state"] == "SUCCESS", told
    by = time.monotonic() + 20
    while True:
        found = json.loads(fetch(f"{FENGATE}/v1/payments/{payment['id']}", headers={"authorization": f"Bearer {KEY}"}))
        if found["state"] == "paid":
            break
        assert time.monotonic() < by, found
        time.sleep(0.02)
    assert found["transaction_id"] == told["transaction_id"], (found, told)
    assert 'data-state="paid"' in fetch(payment["next_action"]["page"])
    assert 'fengate_payments_total{decided_by="model",state="paid"}' in fetch(f"{ADMIN}/metrics")
    assert orders()[payment["out_trade_no"]]["creates"] == 1
    return found
