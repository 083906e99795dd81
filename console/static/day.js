// Shows what came in while the page is open, at once where nobody is typing, else behind a button.
"use strict";
(() => {
  const day = document.getElementById("day");
  const bar = document.getElementById("news");
  if (!day || !window.EventSource) return;
  const busy = () =>
    day.querySelector("details[open]") !== null ||
    (day.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));
  const show = async () => {
    bar.hidden = true;
    const answer = await fetch(day.dataset.part, { credentials: "same-origin", headers: { accept: "text/html" } });
    if (answer.ok) day.innerHTML = await answer.text();
  };
  const changed = () => (busy() ? (bar.hidden = false) : show());
  bar.addEventListener("click", show);
  new EventSource(day.dataset.news).addEventListener("changed", changed);
})();
