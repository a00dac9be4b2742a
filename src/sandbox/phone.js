(() => {
  const main = document.querySelector("main");
  const list = main.querySelector("ul");
  const told = main.querySelector(".told");
  const form = main.querySelector("form");
  const none = main.querySelector(".none");
  const words = main.dataset;
  form.code_url.value = new URLSearchParams(location.search).get("code_url") || "";

  const element = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  };
  const post = async (path, body) => (await fetch(path, { method: "POST", body: JSON.stringify(body) })).json();
  const pay = async (handle) => {
    const json = await post("/phone/pay", handle);
    told.textContent = json.error || (json.trade_state === "SUCCESS" ? words.paid : json.trade_state);
    await refresh();
  };
  const touch = async (body) => {
    const json = await post("/phone/products", body);
    told.textContent = json.error || json.state || words.done;
    await refresh();
  };
  const button = (text, className, does) => {
    const made = element("button", className, text);
    made.onclick = does;
    return made;
  };
  const card = (chosen, what, fen, number, buttons, state) => {
    const item = element("li", chosen ? "chosen" : "", "");
    item.append(element("div", "what", what));
    if (fen > 0) item.append(element("div", "amount", "¥" + (fen / 100).toFixed(2)));
    item.append(element("div", "number", number));
    const row = element("div", "row", "");
    row.append(...(buttons.length ? buttons : [element("span", "state", state)]));
    item.append(row);
    return item;
  };
  const orderCard = (order) => {
    const handle = order.code_url ? { code_url: order.code_url } : { prepay_id: order.prepay_id };
    const open = order.trade_state === "NOTPAY" || order.trade_state === "USERPAYING";
    const buttons = [button(words.pay, "", () => pay(handle)), button(words.decline, "quiet", () => pay({ ...handle, decline: true }))];
    const state = { SUCCESS: words.paid, CLOSED: words.closed }[order.trade_state] || order.trade_state;
    const number = order.out_trade_no + " · " + order.trade_type;
    return card(order.code_url && order.code_url === form.code_url.value, order.description, order.amount_fen, number, open ? buttons : [], state);
  };
  const waiting = (products) => [
    ...products.transfers.filter((one) => one.waits).map((one) =>
      card(false, words.transfer + one.description, one.amount_fen, one.out_bill_no, [button(words.take, "", () => touch({ confirm_transfer: one.transfer_bill_no }))])),
    ...products.services.filter((one) => one.waits).map((one) =>
      card(false, words.service + one.description, one.amount_fen, one.out_order_no, [
        one.waits === "pay" ? button(words.pay, "", () => touch({ pay_service: one.order_id })) : button(words.agree, "", () => touch({ confirm_service: one.order_id })),
      ])),
    ...products.contracts.filter((one) => one.state !== "TERMINATED").map((one) =>
      card(false, words.contract + one.description, 0, one.out_contract_code, [
        one.state === "SIGNED" ? button(words.end, "quiet", () => touch({ end_contract: one.contract_id })) : button(words.agree, "", () => touch({ sign_contract: one.pre_entrustweb_id })),
      ])),
  ];
  let shown = "";
  const refresh = async () => {
    const [text, products] = await Promise.all(["/sandbox/orders", "/sandbox/products"].map(async (path) => (await fetch(path)).text()));
    if (text + products === shown) return;
    shown = text + products;
    const orders = JSON.parse(text).orders;
    const rank = (order) => (order.trade_state === "NOTPAY" || order.trade_state === "USERPAYING" ? 0 : 1);
    orders.sort((a, b) => rank(a) - rank(b));
    const cards = [...waiting(JSON.parse(products)), ...orders.slice(0, 50).map(orderCard)];
    list.replaceChildren(...cards);
    none.hidden = cards.some((one) => one.querySelector("button"));
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const said = form.code_url.value.trim();
    pay(said.startsWith("wx") ? { prepay_id: said } : said.startsWith("http") ? { h5_url: said } : { code_url: said });
  };
  main.querySelector(".code").onclick = async () => {
    const json = await post("/phone/auth-code", { password: false });
    told.textContent = json.error || json.auth_code;
  };
  refresh();
  setInterval(refresh, 1000);
})();
