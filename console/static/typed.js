// Keeps what somebody types into a form until the form is answered: through a network that goes, a session that
// ends, a page that is left too early. In this tab alone, for this person alone, and never what signs somebody in.
// Everything here is a convenience; without it each form posts itself.
"use strict";
(() => {
  const PLACE = "leadflow-typed";
  const LONGEST_MS = 8 * 3_600_000; // a working day: a tab may stay open for weeks
  const NOBODYS_MS = 10 * 60_000; // where nobody signs in, whoever comes next cannot be told from who typed
  const { person, status, left } = document.body.dataset;
  const isInside = person !== undefined; // else a page of the entrance
  const back = document.getElementById("typed-back");
  const unsent = document.getElementById("typed-unsent");

  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(PLACE));
    } catch {
      return null;
    }
  };
  const write = () => {
    try {
      if (Object.keys(kept.forms).length) sessionStorage.setItem(PLACE, JSON.stringify(kept));
      else sessionStorage.removeItem(PLACE);
    } catch {} // a browser that keeps nothing, or has no room: the page works as without this script
  };

  const longest = isInside && person === "" ? NOBODYS_MS : LONGEST_MS;
  let kept = read();
  if (!kept || left !== undefined || (isInside && kept.person !== person)) kept = { person, forms: {} };

  const isField = (one) =>
    one.name && !one.readOnly && !["hidden", "password", "file", "submit", "button", "reset", "fieldset"].includes(one.type);
  const fieldsOf = (form) => [...form.elements].filter(isField);
  const isTicked = (field) => field.type === "checkbox" || field.type === "radio";
  const nameOf = (field) => (isTicked(field) ? `${field.name}=${field.value}` : field.name);
  const valueOf = (field) => (isTicked(field) ? field.checked : field.value);
  const isOnce = (one) => one.type === "hidden" && ["key", "visit_no"].includes(one.name);
  const isState = (one) => one.type === "hidden" && !isOnce(one) && one.name !== "back";
  const isSecret = (one) => one.type === "password" || one.autocomplete === "one-time-code";

  // A form that acts, and is not sent piece by piece while one types.
  const isKept = (form) =>
    form.closest("main") !== null &&
    (form.method === "post" || form.elements.namedItem("reason") !== null) &&
    !form.matches("[hx-post]") &&
    ![...form.elements].some(isSecret);
  const forms = () => [...document.forms].filter(isKept);

  // Where it is sent to, about which state of things, with which fields: typed over another state it would undo that.
  const idOf = (form) =>
    JSON.stringify([
      form.getAttribute("action") ?? location.pathname,
      [...form.elements].filter(isState).map((one) => [one.name, one.value]),
      fieldsOf(form).map(nameOf),
    ]);

  const isChanged = (field) => {
    if (isTicked(field)) return field.checked !== field.defaultChecked;
    if (field.type !== "select-one") return field.value !== field.defaultValue;
    const given = [...field.options].findIndex((one) => one.defaultSelected);
    return field.selectedIndex !== Math.max(given, 0);
  };

  const remember = (form, sent) => {
    const id = idOf(form);
    const fields = fieldsOf(form);
    if (sent || Number(status) >= 400 || fields.some(isChanged)) {
      const values = Object.fromEntries(fields.map((one) => [nameOf(one), valueOf(one)]));
      kept.forms[id] = { at: Date.now(), values, ...sent };
    } else delete kept.forms[id];
    write();
  };

  const restore = () => {
    let isAny = false;
    for (const form of forms()) {
      const one = kept.forms[idOf(form)];
      if (!one) continue;
      let isHere = false;
      for (const field of fieldsOf(form)) {
        const value = one.values[nameOf(field)];
        if (value === undefined || value === valueOf(field)) continue;
        if (isTicked(field)) field.checked = value;
        else field.value = value;
        isHere = true;
      }
      // Nobody knows whether what was sent arrived: under the key of then it is recorded once.
      for (const [name, value] of Object.entries(one.once ?? {})) {
        const field = form.elements.namedItem(name);
        field.dataset.own ??= field.value;
        field.value = value;
      }
      if (isHere) form.closest("details")?.setAttribute("open", "");
      isAny ||= isHere;
    }
    if (isAny) back.hidden = false;
  };

  // What was sent is answered by the page that comes next, unless that is the entrance or one that was there before.
  const settle = () => {
    const came = performance.getEntriesByType("navigation")[0]?.type;
    const here = new Set(forms().map(idOf));
    for (const [id, one] of Object.entries(kept.forms)) {
      const isAnswered = one.sent && isInside && came === "navigate";
      const isRefused = isAnswered && Number(status) >= 400 && here.has(id);
      if (Date.now() - one.at > longest || (isAnswered && !isRefused)) delete kept.forms[id];
      else if (isRefused) delete one.once;
      one.sent = false;
    }
    write();
  };

  settle();
  const forget = () => {
    kept.forms = {};
    write();
  };
  const others = new BroadcastChannel(PLACE);
  others.addEventListener("message", forget);
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.leave, form.look")) return;
    forget();
    others.postMessage("left");
  });
  if (!isInside) return;

  restore();
  document.addEventListener("leadflow:replaced", restore);
  const typed = ({ target }) => {
    if (target.form && isKept(target.form) && isField(target)) remember(target.form);
  };
  document.addEventListener("input", typed);
  document.addEventListener("change", typed);
  back.querySelector("button").addEventListener("click", () => {
    for (const form of forms()) {
      delete kept.forms[idOf(form)];
      form.reset();
      for (const one of [...form.elements].filter(isOnce)) one.value = one.dataset.own ?? one.value;
    }
    write();
    back.hidden = true;
  });

  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (event.defaultPrevented || !isKept(form) || submitter?.formTarget) return;
    if (navigator.onLine) {
      const once = Object.fromEntries([...form.elements].filter(isOnce).map((one) => [one.name, one.value]));
      remember(form, { once, sent: true });
      return;
    }
    event.preventDefault();
    unsent.hidden = false;
    form.append(unsent);
    unsent.scrollIntoView({ block: "nearest" });
  });
  window.addEventListener("online", () => (unsent.hidden = true));
})();
