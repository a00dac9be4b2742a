(() => {
  const told = document.querySelector(".told");
  const post = async (path, body) => {
    const answer = await fetch(path, { method: "POST", body });
    told.textContent = answer.status + " " + (await answer.text());
    await refresh();
  };
  for (const button of document.querySelectorAll("button[data-post]")) {
    button.onclick = () => post(button.dataset.post, button.dataset.body);
  }
  for (const form of document.querySelectorAll("form[data-post]")) {
    form.onsubmit = (event) => {
      event.preventDefault();
      post(form.dataset.post, form.body.value);
    };
  }
  const live = document.getElementById("live");
  let shown = live.innerHTML;
  const refresh = async () => {
    if (getSelection() && String(getSelection())) return; // do not take away what is being copied
    const page = new DOMParser().parseFromString(await (await fetch("/operator")).text(), "text/html");
    const next = page.getElementById("live").innerHTML;
    if (next !== shown) live.innerHTML = shown = next;
  };
  setInterval(refresh, 2000);
})();
