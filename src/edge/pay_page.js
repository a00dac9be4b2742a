(() => {
  const main = document.querySelector("main[data-events]");
  if (!main || main.dataset.final === "true") return;
  const source = new EventSource(main.dataset.events);
  source.onmessage = (message) => {
    const now = JSON.parse(message.data);
    const hadCode = main.querySelector(".code") !== null;
    main.dataset.state = now.state;
    main.querySelector(".standing").textContent = now.standing;
    if (now.final) source.close();
    if (now.state === "awaiting_user" && !hadCode) location.reload();
  };
})();
