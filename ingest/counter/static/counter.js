// The front desk: Enter walks through the fields and saves on the last, the answer comes beside the form.
// Everything here is a convenience; without it the form posts itself and the next page holds the answer.
"use strict";

const form = document.getElementById("visit");
const box = document.getElementById("answer");
const steps = [...form.querySelectorAll("[data-step]")];
const ASK_AGAIN_MS = 300;
const ASK_TIMES = 30;

let composing = false; // an input method is putting characters together
let sending = false;
let last = null; // the last entry, to be corrected under the same number
let asked = 0; // which receipt the box is about; an older answer that comes late is dropped

form.addEventListener("compositionstart", () => { composing = true; });
form.addEventListener("compositionend", () => { composing = false; });

form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  // This Enter chooses a candidate and belongs to the input method. Safari ends the composition before the key
  // comes, and tells by keyCode 229 alone.
  if (composing || event.isComposing || event.keyCode === 229) return;
  if (event.target.type === "button" || event.target.type === "submit") return;
  if (event.shiftKey && event.target.name === "note") return;
  event.preventDefault();
  if (event.repeat) return; // a key held down must not run through to the end
  const next = steps[steps.indexOf(event.target) + 1];
  if (event.ctrlKey || event.metaKey || (!next && steps.includes(event.target))) form.requestSubmit();
  else focus(next || steps[0]);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!composing && !sending) save();
});

form.elements.phone.addEventListener("input", () => { document.getElementById("doubt").hidden = true; });
form.elements.phone.addEventListener("change", doubt);
document.getElementById("anew").addEventListener("click", () => { begin(); });
box.addEventListener("click", (event) => {
  if (event.target.closest("[data-correct]")) correct();
});

async function save() {
  sending = true;
  if (!form.elements.at.value) form.elements.at.value = new Date().toISOString();
  wrong({});
  const entry = new URLSearchParams(new FormData(form));
  try {
    const response = await fetch(form.action, { method: "POST", body: entry, headers: { accept: "application/json" } });
    if (response.status === 202) {
      last = entry;
      const { receipt } = await response.json();
      begin();
      show(receipt);
    } else if (response.status === 401) {
      wrong({ "": form.dataset.keyWanted });
    } else {
      wrong((await response.json()).wrong);
    }
  } catch {
    wrong({ "": form.dataset.notSaved });
  } finally {
    sending = false;
  }
}

// Shows the answer: it is there within a second unless the stages are behind, so ask again for a while.
async function show(receipt) {
  const mine = ++asked;
  box.replaceChildren();
  for (let time = 0; time < ASK_TIMES && mine === asked; time++) {
    try {
      const response = await fetch(`${form.action}/answer/${encodeURIComponent(receipt)}`);
      if (mine !== asked) return;
      if (response.ok) {
        box.innerHTML = await response.text(); // rendered and escaped by the server
        box.querySelector(".links")?.remove(); // it would take what is being typed with it
        box.querySelectorAll("[data-correct]").forEach((one) => { one.hidden = false; });
        if (innerWidth < 960) box.scrollIntoView({ block: "nearest" });
      }
      if (response.status === 200) return;
    } catch { /* the network is away: the visit is saved, only its answer is late */ }
    await new Promise((done) => { setTimeout(done, ASK_AGAIN_MS); });
  }
}

// A new entry: a number of its own, and all fields empty but who types and where.
function begin() {
  for (const one of form.elements) {
    if (!one.name || "kept" in one.dataset || one.name === "desk" || one.name === "lang") continue;
    if (one.type === "checkbox") one.checked = false;
    else if (one.tagName === "SELECT") one.selectedIndex = 0;
    else one.value = "";
  }
  form.elements.visit_no.value = number();
  document.getElementById("correcting").hidden = true;
  document.getElementById("doubt").hidden = true;
  wrong({});
  focus(steps.find((one) => !("kept" in one.dataset && one.value)));
}

function correct() {
  if (last === null) return;
  begin();
  for (const one of form.elements) {
    if (!one.name) continue;
    if (one.type === "checkbox") one.checked = last.has(one.name);
    else if (last.has(one.name)) one.value = last.get(one.name);
  }
  document.getElementById("correcting").hidden = false;
  focus(form.elements.name);
}

// Made on the device, and fit for pages that are not served over TLS, where crypto.randomUUID is missing.
function number() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");
}

// Puts each text beside its field and the cursor into the first of them.
function wrong(texts) {
  for (const place of form.querySelectorAll("[id^='wrong-']")) {
    const field = place.id.slice("wrong-".length);
    place.textContent = texts[field] || "";
    place.hidden = !texts[field];
    const input = field && form.elements[field];
    if (input && texts[field]) input.setAttribute("aria-invalid", "true");
    else if (input) input.removeAttribute("aria-invalid");
  }
  const first = steps.find((one) => texts[one.name]);
  if (first) focus(first);
}

function focus(element) {
  element.focus();
  if (element.select && element.type !== "checkbox") element.select();
}

// A slip of the finger in a mobile number is the most frequent mistake at a desk; said, not refused.
function doubt() {
  const digits = form.elements.phone.value.normalize("NFKC").replace(/[\s-]/g, "");
  const place = document.getElementById("doubt");
  place.hidden = !/^1[3-9]\d+$/.test(digits) || digits.length === 11;
  place.textContent = place.dataset.text.replace("{count}", String(digits.length));
}
