(() => {
  const main = document.querySelector("main");
  const told = main.querySelector("[role=status]");
  for (const button of main.querySelectorAll("button[data-prepay]")) {
    button.onclick = async () => {
      const decline = button.dataset.decline === "true";
      const body = JSON.stringify({ prepay_id: button.dataset.prepay, decline });
      const json = await (await fetch("/phone/pay", { method: "POST", body })).json();
      told.textContent = json.error || (json.trade_state === "SUCCESS" ? main.dataset.paid : json.trade_state);
      if (json.trade_state === "SUCCESS") button.closest(".row").remove();
      if (!json.error && main.dataset.back) location.href = main.dataset.back;
    };
  }
})();
