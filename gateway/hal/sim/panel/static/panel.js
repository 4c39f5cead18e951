// The page follows the doors: it fetches itself and swaps what has changed. Forms are sent without
// leaving the page, so that the keyboard's place is kept. Everything works without this file.
const live = "#said, #link, dl.state, p.light";

function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const now of document.querySelectorAll(live)) {
    const next = fresh.getElementById(now.id);
    if (next && next.outerHTML !== now.outerHTML) now.replaceWith(document.importNode(next, true));
  }
}

let said = "";
let saidUntil = 0;

async function refresh() {
  try {
    const q = new URLSearchParams({ lang: document.documentElement.lang });
    if (Date.now() < saidUntil) q.set("said", said);
    const r = await fetch("?" + q);
    if (r.ok) swap(await r.text());
  } catch { /* the gateway is away; the next look may find it again */ }
}

document.addEventListener("submit", async (e) => {
  e.preventDefault();
  const form = e.target;
  const data = new URLSearchParams(new FormData(form, e.submitter));
  for (const field of form.querySelectorAll("input[type=password]")) field.value = "";
  try {
    const r = await fetch(form.action, { method: "POST", body: data });
    if (!r.ok) return;
    said = new URL(r.url).searchParams.get("said") ?? "";
    saidUntil = Date.now() + 4000;
    swap(await r.text());
  } catch { /* shown by the state that does not change */ }
});

setInterval(() => { if (!document.hidden) refresh(); }, 700);
