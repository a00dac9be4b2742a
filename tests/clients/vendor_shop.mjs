// What both Node SDKs' scripts need: the sandbox's keys, a shop that hears notices, and a record of what was answered.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

export const [base, mode, recordPath] = process.argv.slice(2);
const { SANDBOX, SANDBOX_DIR } = process.env;
export const account = JSON.parse(readFileSync(`${SANDBOX_DIR}/account.json`, "utf8"));
const run = mode.slice(0, 4) + randomBytes(4).toString("hex");
export const number = (step) => `${step}_${run}`;

const post = async (path, body) => {
  const answer = await fetch(`${SANDBOX}${path}`, { method: "POST", body: JSON.stringify(body) });
  assert.equal(answer.status, 200, path);
  return answer.json();
};
// An ordinary bill is there the morning after; the sandbox gives today's if it is asked to.
await post("/sandbox/bills", { same_day: true });
export const today = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
export const scan = (code_url) => post("/phone/pay", { code_url });

// The merchant's notify_url.
const arrived = [];
const waiting = [];
const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    response.writeHead(204).end();
    const notice = { headers: request.headers, body: Buffer.concat(pieces).toString("utf8") };
    waiting.length ? waiting.shift()(notice) : arrived.push(notice);
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
export const notify_url = `http://127.0.0.1:${server.address().port}/notify`;
export const notice = () => {
  if (arrived.length) return Promise.resolve(arrived.shift());
  return new Promise((resolve, reject) => {
    waiting.push(resolve);
    setTimeout(() => reject(new Error("no callback")), 20_000).unref();
  });
};

const record = [];
export const told = (step, status, expected, body) => {
  assert.equal(status, expected, `${step}: ${JSON.stringify(body)}`);
  record.push([step, status, body ?? ""]);
  return body;
};
export const done = () => {
  writeFileSync(recordPath, JSON.stringify(record));
  server.close();
};

export const order = (step, more = {}) => ({
  description: "测试商品 & more", out_trade_no: number(step), notify_url, amount: { total: 188, currency: "CNY" }, ...more,
});
export const kinds = [
  ["native", { attach: "附加" }, "code_url"],
  ["jsapi", { payer: { openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" } }, "prepay_id"],
  ["app", {}, "prepay_id"],
  ["h5", { scene_info: { payer_client_ip: "14.23.150.211", h5_info: { type: "Wap" } } }, "h5_url"],
];
export const refund = (step, fen) => ({
  out_refund_no: number(step), out_trade_no: number("native"), reason: "尺码不合", notify_url, amount: { refund: fen, total: 188, currency: "CNY" },
});
