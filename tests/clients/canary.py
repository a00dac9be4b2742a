"""Canaries: words and secrets that go in at the doors and must come out in no log and no metric."""

import http.client
import json
import pathlib
import urllib.parse

WORDS = "canary-word-7f3a"
SECRET = "sk-canary-secret-9b1c"
OPENID = "o-canary-openid-4d2e"


def asked(public: str, path: str, headers: dict, body: bytes) -> int:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(public).netloc, timeout=30)
    connection.request("POST", path, body, {"content-type": "application/json"} | headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def sing(public: str) -> None:
    """Sends the canaries by every way in: answered, streamed, refused, paid, and broken."""
    chat, key = "/v1/chat/completions", {"authorization": "Bearer sk-fengate-demo"}
    said = [{"role": "system", "content": f"rules {WORDS}"}, {"role": "user", "content": f"pay for the {WORDS}"}]
    order = {"id": f"SO-{WORDS}", "description": WORDS, "amount": {"total": 4200, "currency": "CNY"}}
    payment = {"order": order, "payer": {"id": WORDS, "openid": OPENID}}
    whole = {"model": "wechat-pay-base", "messages": said, "user": WORDS, "payment": payment}
    for status, path, headers, body in [
        (200, chat, key, json.dumps(whole)),
        (200, chat, key, json.dumps(whole | {"stream": True})),
        (200, chat, key | {"idempotency-key": SECRET}, json.dumps(whole)),
        (401, chat, {"authorization": f"Bearer {SECRET}"}, json.dumps(whole)),
        (404, chat, key, json.dumps(whole | {"model": f"no-{WORDS}"})),
        (400, chat, key, json.dumps(whole)[:-1]),
        (400, chat, key, json.dumps(whole | {"payment": {WORDS: 1}})),
        (400, chat, key, json.dumps(whole | {"messages": WORDS})),
        (404, f"/v1/{WORDS}?key={SECRET}", key, "{}"),
        (401, "/callbacks/wechatpay/demo", {"wechatpay-signature": SECRET, "wechatpay-nonce": WORDS}, json.dumps({"resource": WORDS})),
    ]:
        found = asked(public, path, headers, body.encode())
        if found != status:
            raise SystemExit(f"canary: {path} answered {found}, not {status}: {body[:100]}")


def secrets_of(folder: pathlib.Path) -> list[str]:
    """Everything secret the sandbox's account holds, a key line by line."""
    account = json.loads((folder / "sandbox" / "account.json").read_text())
    secret = [str(value) for name, value in account.items() if name in ("private_key", "platform_key", "apiv3_key", "public_key_private")]
    lines = [line.strip() for value in secret for line in value.splitlines()]
    return [line for line in lines if len(line) >= 20 and not line.startswith("-----")]


def heard(folder: pathlib.Path, texts: dict) -> list[str]:
    """Which canaries and secrets are in which texts; empty if all is well."""
    secret = secrets_of(folder)
    if len(secret) < 20:
        raise SystemExit("canary: the sandbox's keys were not found")
    wanted = [WORDS, SECRET, OPENID, "sk-fengate-demo", *secret]
    return [f"{word[:24]} in {name}" for name, text in texts.items() for word in wanted if word in text]
