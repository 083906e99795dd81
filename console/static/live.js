// Shows what came in while the page is open, at once where nobody is at work in the parts that change, else behind a button.
"use strict";
(() => {
  const parts = [...document.querySelectorAll("[data-part]")];
  const bar = document.getElementById("news-bar");
  if (!parts.length || !window.EventSource) return;
  const address = parts[0].dataset.part;
  const isInside = (node) => parts.some((part) => part.contains(node));
  const isMarked = (part) => !getSelection().isCollapsed && getSelection().containsNode(part, true);
  const busy = () =>
    // What a finger is on would be gone before it is lifted.
    parts.some((part) => part.querySelector("details[open]") !== null || part.matches(":active") || isMarked(part)) ||
    (isInside(document.activeElement) && document.activeElement.matches("input, select, textarea"));
  const fetched = async () => {
    try {
      const answer = await fetch(address, { credentials: "same-origin", headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
      const found = parts.map((part) => page.getElementById(part.id));
      return found.includes(null) ? null : found;
    } catch {
      return null;
    }
  };
  const put = (now) => {
    const focused = isInside(document.activeElement) ? document.activeElement : null;
    const [at, within] = [focused?.getAttribute("href") ?? null, focused?.closest("[id]").id];
    parts.forEach((part, number) => part.replaceChildren(...now[number].childNodes));
    // Whoever goes through links by the keyboard goes on from the same one.
    const same = [document.getElementById(within), ...parts].flatMap((one) => [...(one?.querySelectorAll("a[href]") ?? [])]);
    if (at !== null) same.find((one) => one.getAttribute("href") === at)?.focus({ preventScroll: true });
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
  let news = parts[0].dataset.news;
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
    // What is answered by anything but a stream, as by a proxy while the console starts anew, a browser does not ask again.
    const mine = source;
    source.addEventListener("error", () => {
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === source && listen(), 5_000);
    });
  };
  document.addEventListener("visibilitychange", listen);
  listen();
})();
