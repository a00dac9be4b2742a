// openai-node makes payments through function calls, whole and streamed, and gets the errors its users expect.

import assert from "node:assert/strict";
import OpenAI from "openai";

const { FENGATE, SANDBOX } = process.env;
const KEY = "sk-fengate-demo";
const client = new OpenAI({ baseURL: `${FENGATE}/v1`, apiKey: KEY, timeout: 20_000 });
const model = "wechat-pay-base";
const said = (content) => [{ role: "user", content }];
const order = (id, total) => ({ order: { id, description: "blue sneakers", amount: { total, currency: "CNY" } } });

const pay = async (payment) => {
  assert.equal(payment.state, "awaiting_user");
  const told = await (await fetch(`${SANDBOX}/phone/pay`, { method: "POST", body: JSON.stringify({ code_url: payment.next_action.code_url }) })).json();
  assert.equal(told.trade_state, "SUCCESS");
  const by = Date.now() + 20_000;
  for (;;) {
    const found = await (await fetch(`${FENGATE}/v1/payments/${payment.id}`, { headers: { authorization: `Bearer ${KEY}` } })).json();
    if (found.state === "paid") {
      assert.equal(found.transaction_id, told.transaction_id);
      return found;
    }
    assert.ok(Date.now() < by, JSON.stringify(found));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

// Whole.
const whole = await client.chat.completions.create({ model, messages: said("pay for the blue sneakers, size 42"), payment: order("SO-N1", 25900) });
assert.match(whole.choices[0].message.content, /259\.00/);
assert.equal((await pay(whole.payments[0])).amount.total, 25900);

// Streamed.
let text = "";
let payments = [];
const stream = await client.chat.completions.create({ model, messages: said("pay 12.5 yuan for a notebook"), stream: true });
for await (const chunk of stream) {
  assert.equal(chunk.choices[0]?.delta?.tool_calls, undefined);
  text += chunk.choices[0]?.delta?.content ?? "";
  payments = payments.concat(chunk.payments ?? []);
}
assert.match(text, /12\.50/);
assert.equal(payments.length, 1);
assert.equal((await pay(payments[0])).amount.total, 1250);

// The helper that adds a stream up is stricter than plain iteration.
const helper = client.chat.completions.stream({ model, messages: said("帮我付¥8买包子"), stream_options: { include_usage: true } });
const final = await helper.finalChatCompletion();
assert.equal(final.choices[0].message.role, "assistant");
assert.ok(final.usage.total_tokens > 0);
assert.match(final.choices[0].message.content, /8\.00/);

// Models and errors.
const names = [];
for await (const card of client.models.list()) names.push(card.id);
assert.ok(names.includes(model));
const quick = { maxRetries: 0 };
await assert.rejects(client.chat.completions.create({ model: "nobody", messages: said("hi") }, quick), OpenAI.NotFoundError);
await assert.rejects(new OpenAI({ baseURL: `${FENGATE}/v1`, apiKey: "sk-wrong" }).models.list(), OpenAI.AuthenticationError);
const cut = await client.chat.completions.create({ model, messages: said("hello there [cut]"), stream: true }, quick);
await assert.rejects(async () => {
  for await (const _ of cut);
}, OpenAI.APIError);
