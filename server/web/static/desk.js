// Waits for what is done at the desk reader and shows the page anew when it is further. Without script a link does.
const sheet = document.querySelector("[data-desk]");

for (const words of document.querySelectorAll("[data-without]")) {
  words.hidden = true;
}
async function look() {
  try {
    const res = await fetch(sheet.dataset.desk, { credentials: "same-origin" });
    if (res.ok && (await res.json()).stage !== sheet.dataset.stage) {
      location.reload();
      return;
    }
  } catch {
    // the server is away for a moment: ask again
  }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
