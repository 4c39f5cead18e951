// Keeps the live page fresh: each event of the log fetches the changed part anew. Without script
// the page reloads itself every ten seconds, so nothing here is needed to read it.

const live = document.getElementById("live");
const pulse = document.getElementById("pulse");
let stream = null;
let wanted = false; // news came while a fetch was running
let busy = false;
let good = Date.now(); // when fresh data last arrived
const QUIET = 15000; // ms without any sign of life before the page says so

function lost(yes) {
  pulse.hidden = !yes;
  pulse.lastElementChild.textContent = yes ? pulse.dataset.lost : "";
  live.classList.toggle("stale", yes);
}

// swap replaces the parts that differ, and keeps the keyboard where it was.
function swap(text) {
  const doc = new DOMParser().parseFromString(text, "text/html");
  const focus = document.activeElement;
  const href = live.contains(focus) ? focus.getAttribute("href") : null;
  for (const fresh of doc.querySelectorAll("[id^=live-]")) {
    const old = document.getElementById(fresh.id);
    old?.querySelectorAll("details").forEach((d, i) => { // what somebody opened stays open
      const same = fresh.querySelectorAll("details")[i];
      if (same) { same.open = d.open; }
    });
    if (old && live.contains(old) && !old.isEqualNode(fresh)) {
      if (fresh.id === "live-banner" && old.className === fresh.className && old.querySelector("ul")?.textContent === fresh.querySelector("ul")?.textContent) {
        // only the time moved on: a reader of the screen need not hear it
        old.querySelector("time").replaceWith(fresh.querySelector("time"));
      } else {
        old.replaceWith(fresh);
      }
    }
  }
  if (href && !live.contains(document.activeElement)) {
    for (const a of live.querySelectorAll("a[href]")) {
      if (a.getAttribute("href") === href) { a.focus({ preventScroll: true }); break; }
    }
  }
}

async function refresh() {
  if (busy) { wanted = true; return; }
  busy = true;
  try {
    do {
      wanted = false;
      const answer = await fetch("/live/fragment", { cache: "no-store", redirect: "error" });
      if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.status);
      swap(await answer.text());
      good = Date.now();
      lost(false);
    } while (wanted);
  } catch {
    lost(true);
  } finally {
    busy = false;
  }
}

function open() {
  stream = new EventSource("/events?from=" + live.dataset.next);
  stream.onmessage = refresh;
  stream.addEventListener("tick", refresh);
  stream.addEventListener("reset", refresh); // the log is another one now
  stream.addEventListener("end", () => { stream.close(); location.reload(); });
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) { setTimeout(open, 5000); }
  };
}

setInterval(() => { if (Date.now() - good > QUIET) { lost(true); } }, 1000);
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (e) => { if (e.persisted) { location.reload(); } });
if (live && pulse) { open(); }
