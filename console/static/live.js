// Shows what came in while the page is open, at once where nobody is at work in the part that changes, else behind a button.
"use strict";
(() => {
  const part = document.querySelector("[data-news]");
  const bar = document.getElementById("news-bar");
  if (!part || !window.EventSource) return;
  const isInside = (node) => node !== null && part.contains(node);
  const busy = () =>
    part.querySelector("details[open]") !== null ||
    (isInside(document.activeElement) && document.activeElement.matches("input, select, textarea")) ||
    (!getSelection().isCollapsed && isInside(getSelection().anchorNode));
  const fetched = async () => {
    try {
      const answer = await fetch(part.dataset.part, { credentials: "same-origin", headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
      return page.getElementById(part.id);
    } catch {
      return null;
    }
  };
  const put = (now) => {
    const at = isInside(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...now.childNodes);
    // Whoever goes through links by the keyboard goes on from the same one.
    if (at !== null) [...part.querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === at)?.focus({ preventScroll: true });
    document.dispatchEvent(new Event("leadflow:replaced"));
  };
  let latest = 0;
  const show = async (event) => {
    const mine = ++latest;
    const wanted = event.type === "click";
    const found = wanted || !busy() ? await fetched() : null;
    if (mine !== latest) return; // a later look is under way, and sees more
    const now = found !== null && (wanted || !busy()); // somebody may have begun to type meanwhile
    bar.hidden = now;
    if (now) put(found);
  };
  bar.addEventListener("click", show);

  // A tab that nobody sees is told nothing: a browser has six connections for all of them.
  let source = null;
  let news = part.dataset.news;
  const listen = () => {
    source?.close();
    source = null;
    if (document.hidden) return;
    source = new EventSource(news);
    source.addEventListener("changed", (event) => {
      const next = new URL(news, location.href);
      next.searchParams.set("seen", event.lastEventId);
      news = next.href;
      show(event);
    });
  };
  document.addEventListener("visibilitychange", listen);
  listen();
})();
