// npm wechatpay-node-v3, unchanged: every operation of an ordinary merchant. It has no public-key mode. usage: vendor_node_v3.mjs BASE MODE RECORD

import assert from "node:assert/strict";
import superagent from "superagent";
import Pay from "wechatpay-node-v3";
import { account, base, done, kinds, notice, number, order, refund, scan, today, told } from "./vendor_shop.mjs";

const pay = new Pay({
  appid: account.appid, mchid: account.mchid, serial_no: account.serial, publicKey: Buffer.from(account.merchant_public_key), privateKey: Buffer.from(account.private_key),
});
// Its addresses are fixed; its own hook for another HTTP client is where the host is changed.
const VENDOR = "https://api.mch.weixin.qq.com";
const at = (url) => url.replace(VENDOR, base);
const answered = async (request) => {
  const answer = await request.ok(() => true).buffer(true);
  return { status: answer.status, data: answer.type === "application/json" ? answer.body : answer.text, error: answer.text };
};
pay.createHttp({
  get: (url, headers) => answered(superagent.get(at(url)).set(headers)),
  post: (url, body, headers) => answered(superagent.post(at(url)).send(body).set(headers)),
});
const ask = async (step, expected, call) => {
  const { status, data } = await call();
  return told(step, status, expected, data);
};
const heard = async (step, event) => {
  const { headers, body } = await notice();
  const verify = (text) =>
    pay.verifySign({
      timestamp: headers["wechatpay-timestamp"], nonce: headers["wechatpay-nonce"], serial: headers["wechatpay-serial"],
      signature: headers["wechatpay-signature"], body: text, apiSecret: account.apiv3_key,
    });
  assert.equal(await verify(body), true, "a callback's signature");
  assert.equal(await verify(body.replace(event, event.slice(0, -1))), false, "a forged callback was believed");
  const { event_type, resource: { nonce, associated_data, ciphertext } } = JSON.parse(body);
  assert.equal(event_type, event);
  return told(step, 0, 0, pay.decipher_gcm(ciphertext, associated_data, nonce, account.apiv3_key));
};

const certificates = await pay.get_certificates(account.apiv3_key);
assert.ok(certificates.length > 0 && certificates[0].publicKey);
told("certificates", 200, 200, certificates);
const query = (step) => () => pay.query({ out_trade_no: number(step) });
for (const [kind, more, field] of kinds) {
  const answer = await ask(kind, 200, () => pay[`transactions_${kind}`](order(kind, more)));
  // For JSAPI and apps the SDK answers what the page or the app needs, signed.
  assert.ok(answer[field] ?? answer.paySign ?? answer.sign, JSON.stringify(answer));
  assert.equal((await ask(`${kind} unpaid`, 200, query(kind))).trade_state, "NOTPAY");
}
const { code_url } = await ask("native again", 200, () => pay.transactions_native(order("native", { attach: "附加" })));
await ask("native changed", 400, () => pay.transactions_native(order("native", { description: "another" })));
await ask("unknown order", 404, query("nobody"));
await ask("close", 204, () => pay.close(number("app")));
assert.equal((await ask("closed", 200, query("app"))).trade_state, "CLOSED");

await scan(code_url);
const paid = await heard("paid", "TRANSACTION.SUCCESS");
assert.equal(paid.out_trade_no, number("native"));
assert.equal((await ask("by transaction_id", 200, () => pay.query({ transaction_id: paid.transaction_id }))).trade_state, "SUCCESS");
await ask("close of a paid order", 400, () => pay.close(number("native")));

await ask("refund", 200, () => pay.refunds(refund("refund", 88)));
assert.equal((await heard("refunded", "REFUND.SUCCESS")).refund_status, "SUCCESS");
assert.equal((await ask("refund query", 200, () => pay.find_refunds(number("refund")))).status, "SUCCESS");
await ask("refund beyond the rest", 400, () => pay.refunds(refund("more", 101)));

for (const [bill, call] of [["trade bill", () => pay.tradebill({ bill_date: today })], ["fund-flow bill", () => pay.fundflowbill({ bill_date: today, account_type: "BASIC" })]]) {
  const { download_url } = await ask(bill, 200, call);
  assert.ok(download_url.startsWith(`${base}/v3/`), download_url);
  // It signs what follows the vendor's host, and nothing else it would recognise: the hook above swaps that host again.
  const { status, data } = await pay.downloadBill(download_url.replace(base, VENDOR));
  told(`${bill} download`, status, 200, String(data).split(/\r?\n/)[0]);
}
done();
