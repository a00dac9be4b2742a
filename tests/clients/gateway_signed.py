"""A fengate key makes an order on the classic path; the vendor-compatible Python SDK, unchanged, verifies and opens the notice fengate passes on."""

import http.server
import json
import os
import pathlib
import queue
import tempfile
import threading

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import aes_decrypt

from settling import FENGATE, KEY, SANDBOX, fetch

account = json.loads((pathlib.Path(os.environ["SANDBOX_DIR"]) / "account.json").read_text())
BEARER = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


class Shop(http.server.BaseHTTPRequestHandler):
    """The merchant's notify_url."""

    notices = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        Shop.notices.put(({"-".join(part.capitalize() for part in name.split("-")): value for name, value in self.headers.items()}, body))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()

# The certificates a fengate key is shown, put where the SDK looks for them.
certificates = tempfile.mkdtemp()
for item in json.loads(fetch(f"{FENGATE}/v3/certificates", headers=BEARER))["data"]:
    sealed = item["encrypt_certificate"]
    pem = aes_decrypt(sealed["nonce"], sealed["ciphertext"], sealed["associated_data"], account["apiv3_key"])
    (pathlib.Path(certificates) / f"{item['serial_no']}.pem").write_text(pem)
assert len(os.listdir(certificates)) >= 2, "WeChat Pay's and fengate's"
sdk = WeChatPay(WeChatPayType.NATIVE, account["mchid"], account["private_key"], account["serial"], account["appid"], account["apiv3_key"], cert_dir=certificates)

order = {"description": "测试商品", "out_trade_no": "gateway_0001", "attach": "附加", "amount": {"total": 188}, "notify_url": f"http://127.0.0.1:{server.server_port}/notify"}
made = json.loads(fetch(f"{FENGATE}/v3/pay/transactions/native", order, BEARER))
fetch(f"{SANDBOX}/phone/pay", {"code_url": made["code_url"]})
headers, body = Shop.notices.get(timeout=20)
notice = sdk.callback(headers, body)
assert notice and notice["event_type"] == "TRANSACTION.SUCCESS", notice
resource = notice["resource"]
assert (resource["out_trade_no"], resource["trade_state"], resource["amount"]["total"], resource["attach"]) == ("gateway_0001", "SUCCESS", 188, "附加"), resource
assert not sdk.callback(headers, body.replace(b"TRANSACTION.SUCCESS", b"TRANSACTION.SUCCESX")), "a forged notice was believed"
server.shutdown()
