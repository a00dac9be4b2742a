"""Vendor-compatible SDKs from the registries, unchanged, each in every key mode it has: straight at the sandbox, and through fengate's /v3
with the merchant's own signatures. After normalising what is of the moment the two must not differ in anything.
"""

import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from settling import FENGATE, SANDBOX

HERE = pathlib.Path(__file__).parent
SDKS = [
    ("wechatpayv3", [sys.executable, HERE / "vendor_python.py"], ["certificates", "public_key"]),
    ("wechatpay-axios-plugin", ["node", HERE / "vendor_axios.mjs"], ["certificates", "public_key"]),
    ("wechatpay-node-v3", ["node", HERE / "vendor_node_v3.mjs"], ["certificates"]),  # it has no public-key mode
]
RUN_SECONDS = 60

# Of the moment: new with every request, or about the whole day. Everything else must be the same.
MOMENT = {
    "code_url", "prepay_id", "h5_url", "transaction_id", "refund_id", "out_trade_no", "out_refund_no", "success_time", "create_time", "id", "nonce",
    "ciphertext", "hash_value", "download_url", "timeStamp", "timestamp", "nonceStr", "noncestr", "package", "paySign", "sign", "prepayid", "value",
    "out_bill_no", "transfer_bill_no", "update_time", "user_name", "package_info",
}


def normal(value):
    if isinstance(value, dict):
        return {key: f"<{type(inner).__name__}>" if key in MOMENT else normal(inner) for key, inner in value.items()}
    return [normal(inner) for inner in value] if isinstance(value, list) else value


def run(name, command, base, mode, folder):
    path = pathlib.Path(folder) / f"{name}-{mode}-{'fengate' if base == FENGATE else 'sandbox'}.json"
    subprocess.run([str(part) for part in [*command, base, mode, path]], check=True, timeout=RUN_SECONDS, cwd=HERE, env=os.environ)
    return [json.dumps([step, status, normal(body)], ensure_ascii=False, sort_keys=True) for step, status, body in json.loads(path.read_text())]


steps = differences = 0
with tempfile.TemporaryDirectory() as folder:
    for name, command, modes in SDKS:
        for mode in modes:
            direct, through = run(name, command, SANDBOX, mode, folder), run(name, command, FENGATE, mode, folder)
            differing = [line for line in difflib.unified_diff(direct, through, "sandbox", "fengate", lineterm="", n=0) if re.match(r"[-+][^-+]", line)]
            print(f"  {name}, {mode}: {len(direct)} answers, {len(differing)} differences", *differing, sep="\n    ", flush=True)
            steps, differences = steps + len(direct), differences + len(differing)
assert steps > 100 and differences == 0, (steps, differences)
