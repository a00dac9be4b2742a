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
  const scan = async (codeUrl, decline) => {
    const answer = await fetch("/phone/pay", { method: "POST", body: JSON.stringify({ code_url: codeUrl, decline }) });
    const json = await answer.json();
    told.textContent = json.error || (json.trade_state === "SUCCESS" ? words.paid : json.trade_state);
    await refresh();
  };
  const card = (order) => {
    const item = element("li", order.code_url === form.code_url.value ? "chosen" : "", "");
    item.append(element("div", "what", order.description), element("div", "amount", "¥" + (order.amount_fen / 100).toFixed(2)), element("div", "number", order.out_trade_no));
    const row = element("div", "row", "");
    if (order.trade_state === "NOTPAY") {
      const pay = element("button", "", words.pay);
      pay.onclick = () => scan(order.code_url, false);
      const decline = element("button", "quiet", words.decline);
      decline.onclick = () => scan(order.code_url, true);
      row.append(pay, decline);
    } else {
      row.append(element("span", "state", order.trade_state === "SUCCESS" ? words.paid : words.closed));
    }
    item.append(row);
    return item;
  };
  let shown = "";
  const refresh = async () => {
    const text = await (await fetch("/sandbox/orders")).text();
    if (text === shown) return;
    shown = text;
    const orders = JSON.parse(text).orders;
    orders.sort((a, b) => (a.trade_state === "NOTPAY" ? 0 : 1) - (b.trade_state === "NOTPAY" ? 0 : 1));
    list.replaceChildren(...orders.slice(0, 50).map(card));
    none.hidden = orders.some((order) => order.trade_state === "NOTPAY");
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    scan(form.code_url.value.trim(), false);
  };
  refresh();
  setInterval(refresh, 1000);
})();
