"""The vendor-compatible Python SDK, straight at the sandbox: creates and queries an order, and verifies the callback, in both key modes."""

import http.server
import json
import os
import pathlib
import tempfile
import threading

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

from settling import SANDBOX, fetch

folder = pathlib.Path(os.environ["SANDBOX_DIR"])
account = json.loads((folder / "account.json").read_text())

# The SDK has no option for its host, and in certificate mode its constructor downloads already: give the class another gateway.
_init = Core._init_certificates


def _at_the_sandbox(self):
    self._gate_way = SANDBOX
    return _init(self)


Core._init_certificates = _at_the_sandbox


class Shop(http.server.BaseHTTPRequestHandler):
    """The merchant's notify_url."""

    delivered, arrived = [], threading.Event()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Shop.delivered.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()
        Shop.arrived.set()

    def log_message(self, *_):
        pass


def canonical(headers: dict) -> dict:
    """Header names as the SDK looks them up."""
    return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}


def run(mode: str, notify_url: str) -> None:
    keys = {"public_key": account["public_key"], "public_key_id": account["public_key_id"]} if mode == "public_key" else {"cert_dir": tempfile.mkdtemp()}
    sdk = WeChatPay(WeChatPayType.NATIVE, account["mchid"], account["private_key"], account["serial"], account["appid"], account["apiv3_key"], notify_url=notify_url, **keys)
    sdk._core._gate_way = SANDBOX
    number = f"sdk_{mode}_0001"
    code, message = sdk.pay(description="测试商品", out_trade_no=number, amount={"total": 188, "currency": "CNY"})
    assert code == 200, (code, message)
    code_url = json.loads(message)["code_url"]
    assert code_url.startswith("weixin://"), message
    code, message = sdk.query(out_trade_no=number)
    assert code == 200 and json.loads(message)["trade_state"] == "NOTPAY", (code, message)
    code, message = sdk.pay(description="另一件", out_trade_no=number, amount={"total": 1, "currency": "CNY"})
    assert code == 400, "another order under the same number"
    Shop.arrived.clear()
    fetch(f"{SANDBOX}/phone/pay", {"code_url": code_url})
    assert Shop.arrived.wait(20), "no callback"
    headers, body = Shop.delivered[-1]
    notice = sdk.callback(canonical(headers), body)
    assert notice and notice["event_type"] == "TRANSACTION.SUCCESS", notice
    resource = notice["resource"]
    assert resource["out_trade_no"] == number and resource["amount"]["total"] == 188 and resource["trade_state"] == "SUCCESS", resource
    forged = body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.SUCCESX")
    assert not sdk.callback(canonical(headers), forged), "a forged callback was believed"
    code, message = sdk.query(transaction_id=resource["transaction_id"])
    assert code == 200 and json.loads(message)["trade_state"] == "SUCCESS", (code, message)
    code, message = sdk.close(out_trade_no=number)
    assert code == 400, "a paid order was closed"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
for mode in ("certificates", "public_key"):
    run(mode, f"http://127.0.0.1:{server.server_port}/notify")
server.shutdown()
