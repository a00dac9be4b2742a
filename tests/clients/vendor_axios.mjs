// npm wechatpay-axios-plugin, unchanged: every operation of an ordinary merchant. usage: vendor_axios.mjs BASE MODE RECORD

import assert from "node:assert/strict";
import { Aes, Formatter, Rsa, Wechatpay } from "wechatpay-axios-plugin";
import { account, base, done, kinds, mode, notice, number, order, refund, scan, today, told } from "./vendor_shop.mjs";

const { AesGcm } = Aes;
const publicKeyMode = mode === "public_key";
const certs = publicKeyMode ? { [account.public_key_id]: account.public_key } : { any: undefined };
const options = { baseURL: `${base}/`, mchid: account.mchid, serial: account.serial, privateKey: account.private_key, certs };
// In public-key mode every request says which key its answer is to be signed with: a plain option of axios.
if (publicKeyMode) options.headers = { "Wechatpay-Serial": account.public_key_id };
let wxpay = new Wechatpay({ ...options });

if (!publicKeyMode) {
  // As the SDK's own downloader does it: the answer is verified with the certificates it brings.
  const taken = {};
  const take = (response) => {
    for (const { serial_no, encrypt_certificate: { nonce, associated_data, ciphertext } } of JSON.parse(response).data) {
      taken[serial_no] = AesGcm.decrypt(ciphertext, account.apiv3_key, nonce, associated_data);
    }
    return response;
  };
  const first = await wxpay.v3.certificates.get({ transformResponse: [take] });
  told("certificates", first.status, 200, JSON.parse(first.data));
  assert.equal(Object.keys(taken).length > 0, true);
  wxpay = new Wechatpay({ ...options, certs: taken });
  Object.assign(certs, taken);
  told("certificates, verified", (await wxpay.v3.certificates.get()).status, 200);
}

const ours = { appid: account.appid, mchid: account.mchid };
// The answer's fields are compared too, where they are not of the moment.
const FIELDS = ["content-type", "wechatpay-serial", "wechatpay-signature-type"];
const ask = async (step, expected, call) => {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    if (!error.response || !expected || expected < 400) throw error;
    answer = error.response;
  }
  told(`${step}: fields`, answer.status, expected, Object.fromEntries(FIELDS.map((name) => [name, answer.headers[name] ?? null])));
  return told(step, answer.status, expected, answer.data);
};
const heard = async (step, event) => {
  const { headers, body } = await notice();
  const verify = (text) => {
    const signed = Formatter.response(headers["wechatpay-timestamp"], headers["wechatpay-nonce"], text);
    return Rsa.verify(signed, headers["wechatpay-signature"], Rsa.from(certs[headers["wechatpay-serial"]], "public"));
  };
  assert.equal(verify(body), true, "a callback's signature");
  assert.equal(verify(body.replace(event, event.slice(0, -1))), false, "a forged callback was believed");
  const { event_type, resource: { nonce, associated_data, ciphertext } } = JSON.parse(body);
  assert.equal(event_type, event);
  return told(step, 0, 0, JSON.parse(AesGcm.decrypt(ciphertext, account.apiv3_key, nonce, associated_data)));
};

const orders = wxpay.v3.pay.transactions;
const byNumber = orders.outTradeNo["{out_trade_no}"];
const query = (step) => () => byNumber.get({ params: { mchid: account.mchid }, out_trade_no: number(step) });
const close = (step) => () => byNumber.close.post({ mchid: account.mchid }, { out_trade_no: number(step) });
for (const [kind, more, field] of kinds) {
  const answer = await ask(kind, 200, () => orders[kind].post({ ...ours, ...order(kind, more) }));
  assert.ok(answer[field], JSON.stringify(answer));
  assert.equal((await ask(`${kind} unpaid`, 200, query(kind))).trade_state, "NOTPAY");
}
const { code_url } = await ask("native again", 200, () => orders.native.post({ ...ours, ...order("native", { attach: "附加" }) }));
await ask("native changed", 400, () => orders.native.post({ ...ours, ...order("native", { description: "another" }) }));
await ask("native refused", 400, () => orders.native.post({ ...ours, ...order("native"), out_trade_no: "x" }));
await ask("unknown order", 404, query("nobody"));
await ask("close", 204, close("app"));
assert.equal((await ask("closed", 200, query("app"))).trade_state, "CLOSED");

// A number with a bar in it, which this SDK sends and signs as it is.
await ask("a barred number", 200, () => orders.native.post({ ...ours, ...order("a|b*c") }));
await ask("a barred number unpaid", 200, query("a|b*c"));

await scan(code_url);
const paid = await heard("paid", "TRANSACTION.SUCCESS");
assert.equal(paid.out_trade_no, number("native"));
const byId = { params: { mchid: account.mchid }, transaction_id: paid.transaction_id };
assert.equal((await ask("by transaction_id", 200, () => orders.id["{transaction_id}"].get(byId))).trade_state, "SUCCESS");
await ask("close of a paid order", 400, close("native"));

const refunds = wxpay.v3.refund.domestic.refunds;
await ask("refund", 200, () => refunds.post(refund("refund", 88)));
assert.equal((await heard("refunded", "REFUND.SUCCESS")).refund_status, "SUCCESS");
assert.equal((await ask("refund query", 200, () => refunds["{out_refund_no}"].get({ out_refund_no: number("refund") }))).status, "SUCCESS");
await ask("refund beyond the rest", 400, () => refunds.post(refund("more", 101)));
assert.equal((await ask("after the refund", 200, query("native"))).trade_state, "REFUND");

for (const bill of ["tradebill", "fundflowbill"]) {
  const { download_url } = await ask(bill, 200, () => wxpay.v3.bill[bill].get({ params: { bill_date: today } }));
  assert.ok(download_url.startsWith(`${base}/v3/`), download_url);
  // The SDK's own way: its client without the JSON transformers, at the address as it came.
  const file = await wxpay.client.v3.get(download_url, { responseType: "arraybuffer", transformResponse: [] });
  told(`${bill} download`, file.status, 200, Buffer.from(file.data).toString("utf8").split(/\r?\n/)[0]);
}
done();
