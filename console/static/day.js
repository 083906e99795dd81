// Shows what came in while the page is open, at once where nobody is typing, else behind a button.
"use strict";
(() => {
  const day = document.getElementById("day");
  const bar = document.getElementById("news");
  if (!day || !window.EventSource) return;
  const busy = () =>
    day.querySelector("details[open]") !== null ||
    (day.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));
  const fetched = async () => {
    try {
      const answer = await fetch(day.dataset.part, { credentials: "same-origin", headers: { accept: "text/html" } });
      return answer.ok ? await answer.text() : null;
    } catch {
      return null;
    }
  };
  let latest = 0;
  const show = async (event) => {
    const mine = ++latest;
    const wanted = event.type === "click";
    const text = wanted || !busy() ? await fetched() : null;
    if (mine !== latest) return; // a later look is under way, and sees more
    const now = text !== null && (wanted || !busy()); // somebody may have begun to type meanwhile
    bar.hidden = now;
    if (!now) return;
    day.innerHTML = text;
    document.dispatchEvent(new Event("leadflow:replaced"));
  };
  bar.addEventListener("click", show);
  new EventSource(day.dataset.news).addEventListener("changed", show);
})();
