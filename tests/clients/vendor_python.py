"""The vendor-compatible Python SDK, unchanged: every operation of an ordinary merchant, written down so that two runs can be compared.

usage: vendor_python.py BASE MODE RECORD  (run by vendor_proof.py; MODE is certificates or public_key)
"""

import gzip
import http.server
import json
import os
import pathlib
import queue
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

from settling import SANDBOX, fetch

BASE, MODE, RECORD = sys.argv[1:4]
RUN = f"{MODE[:4]}{os.urandom(4).hex()}"
account = json.loads((pathlib.Path(os.environ["SANDBOX_DIR"]) / "account.json").read_text())
# An ordinary bill is there the morning after; the sandbox gives today's if it is asked to.
fetch(f"{SANDBOX}/sandbox/bills", {"same_day": True})
today = datetime.now(timezone(timedelta(hours=8))).date().isoformat()

# The SDK has no option for its host, and in certificate mode its constructor downloads already: give the class another gateway.
_init = Core._init_certificates


def _at_the_base(self):
    self._gate_way = BASE
    return _init(self)


Core._init_certificates = _at_the_base


class Shop(http.server.BaseHTTPRequestHandler):
    """The merchant's notify_url."""

    notices = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
        Shop.notices.put((dict(self.headers.items()), body))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
NOTIFY = f"http://127.0.0.1:{server.server_port}/notify"

keys = {"public_key": account["public_key"], "public_key_id": account["public_key_id"]} if MODE == "public_key" else {"cert_dir": tempfile.mkdtemp()}
sdk = WeChatPay(WeChatPayType.NATIVE, account["mchid"], account["private_key"], account["serial"], account["appid"], account["apiv3_key"], notify_url=NOTIFY, **keys)
sdk._core._gate_way = BASE
record = []


def told(step: str, answer, status: int):
    """Writes an answer down; it must have the status."""
    code, message = answer
    message = message.decode("utf-8-sig") if isinstance(message, bytes) else message
    assert code == status, (step, code, message)
    record.append([step, code, json.loads(message) if message.startswith(("{", "[")) else message])
    return record[-1][2]


def number(step: str) -> str:
    return f"{step}_{RUN}"


def notice(step: str, event: str) -> dict:
    """The next notice, verified and opened by the SDK; a forged one is not believed."""
    headers, body = Shop.notices.get(timeout=20)
    headers = {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}
    opened = sdk.callback(headers, body)
    assert opened and opened["event_type"] == event, opened
    assert not sdk.callback(headers, body.replace(event.encode(), event.encode()[:-1] + b"X")), "a forged callback was believed"
    record.append([step, 0, opened])
    return opened["resource"]


if MODE == "certificates":
    assert sdk._core._certificates, "the certificates were not taken"
    told("certificates", sdk._core.request("/v3/certificates"), 200)

common = {"description": "测试商品 & more", "amount": {"total": 188, "currency": "CNY"}}
scene = {"payer_client_ip": "14.23.150.211", "h5_info": {"type": "Wap"}}
kinds = [
    ("native", WeChatPayType.NATIVE, {"attach": "附加"}, "code_url"),
    ("jsapi", WeChatPayType.JSAPI, {"payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}, "prepay_id"),
    ("app", WeChatPayType.APP, {}, "prepay_id"),
    ("h5", WeChatPayType.H5, {"scene_info": scene}, "h5_url"),
]
answers = {}
for kind, pay_type, more, field in kinds:
    answers[kind] = told(kind, sdk.pay(out_trade_no=number(kind), pay_type=pay_type, **common, **more), 200)
    assert answers[kind][field], answers[kind]
    assert told(f"{kind} unpaid", sdk.query(out_trade_no=number(kind)), 200)["trade_state"] == "NOTPAY"
code_url = told("native again", sdk.pay(out_trade_no=number("native"), **common, attach="附加"), 200)["code_url"]
told("native changed", sdk.pay(out_trade_no=number("native"), description="another", amount={"total": 1, "currency": "CNY"}), 400)
told("native refused", sdk.pay(out_trade_no="x", **common), 400)
told("unknown order", sdk.query(out_trade_no=number("nobody")), 404)
told("close", sdk.close(out_trade_no=number("app")), 204)
assert told("closed", sdk.query(out_trade_no=number("app")), 200)["trade_state"] == "CLOSED"

fetch(f"{SANDBOX}/phone/pay", {"code_url": code_url})
paid = notice("paid", "TRANSACTION.SUCCESS")
assert paid["out_trade_no"] == number("native") and paid["amount"]["total"] == 188 and paid["attach"] == "附加", paid
assert told("by transaction_id", sdk.query(transaction_id=paid["transaction_id"]), 200)["trade_state"] == "SUCCESS"
told("close of a paid order", sdk.close(out_trade_no=number("native")), 400)

refund = {"out_refund_no": number("refund"), "out_trade_no": number("native"), "amount": {"refund": 88, "total": 188, "currency": "CNY"}, "notify_url": NOTIFY}
told("refund", sdk.refund(**refund, reason="尺码不合"), 200)
back = notice("refunded", "REFUND.SUCCESS")
assert back["refund_status"] == "SUCCESS" and back["amount"]["refund"] == 88, back
assert told("refund query", sdk.query_refund(out_refund_no=number("refund")), 200)["status"] == "SUCCESS"
told("refund beyond the rest", sdk.refund(out_refund_no=number("more"), out_trade_no=number("native"), amount={"refund": 101, "total": 188, "currency": "CNY"}), 400)
assert told("after the refund", sdk.query(out_trade_no=number("native")), 200)["trade_state"] == "REFUND"

# Packed, as this SDK asks for bills unless told otherwise.
for bill, asked in [("trade bill", sdk.trade_bill(bill_date=today)), ("fund-flow bill", sdk.fundflow_bill(bill_date=today))]:
    url = told(bill, asked, 200)["download_url"]
    assert url.startswith(f"{BASE}/v3/"), f"the download is not where the SDK is: {url}"
    # Rows of other runs are in it too: what is compared is its heading, and that our order is there.
    code, packed = sdk.download_bill(url)
    text = told(f"{bill} download", (code, gzip.decompress(packed)), 200)
    assert bill != "trade bill" or number("native") in text, text
    record[-1][2] = text.splitlines()[0]

# A name the SDK seals with its own library, and opens again out of the answer.
infos = [{"info_type": "活动名称", "info_content": "新会员有礼"}, {"info_type": "奖励说明", "info_content": "注册会员抽奖一等奖"}]
transfer = {"out_bill_no": f"T{RUN}", "transfer_scene_id": "1000", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "transfer_amount": 100, "transfer_remark": "奖励"}
told("transfer with a sealed name", sdk.mch_transfer_bills(**transfer, user_name="张三", transfer_scene_report_infos=infos), 200)
assert sdk.decrypt(told("the transfer", sdk.mch_transfer_bills_query(out_bill_no=transfer["out_bill_no"]), 200)["user_name"]) == "张三"

sdk._core._cert_serial_no = "0123456789ABCDEF"
told("a serial nobody knows", sdk.query(out_trade_no=number("native")), 401)
pathlib.Path(RECORD).write_text(json.dumps(record, ensure_ascii=False))
server.shutdown()
