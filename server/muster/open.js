"use strict";
// Opens the list of this file. Nothing leaves the page: its policy allows no connection.
const say = text => { document.getElementById("say").textContent = text; };
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const put = (to, kind, text) => { const e = document.createElement(kind); e.textContent = text; to.append(e); return e; };
const file = JSON.parse(document.getElementById("sealed").textContent);
const list = document.getElementById("list");
const ended = () => {
  if (Date.now() < file.until) return false;
  list.replaceChildren();
  say("この写しの期限は過ぎました。新しい写しを開いてください。This copy has ended. Open a newer one.");
  return true;
};
const show = found => {
  list.replaceChildren();
  put(list, "h2", found.site);
  for (const note of found.notes || []) put(list, "p", "! " + note).className = "note";
  for (const zone of found.zones || []) {
    const inside = zone.inside || [];
    put(list, "h3", zone.name + " (" + inside.length + ")");
    if (inside.length === 0) { put(list, "p", "在室者なし Nobody inside."); continue; }
    const table = put(list, "table", "");
    const head = put(put(table, "thead", ""), "tr", "");
    for (const word of ["確認 Safe", "氏名 Name", "所属 From", "区分 Category", "入室 Since", "扉 Door", "番号 Number"]) put(head, "th", word).scope = "col";
    const body = put(table, "tbody", "");
    for (const who of inside) {
      const row = put(body, "tr", "");
      put(row, "td", "").className = "box";
      const name = put(row, "td", who.name);
      if (who.uncertain) put(name, "strong", " 退室申告あり・未確認 says they left, not confirmed");
      for (const text of [who.of, who.category, who.since || "記録なし not recorded", who.door, (who.numbers || []).join("\n")]) put(row, "td", text);
    }
  }
};
document.querySelector("form").addEventListener("submit", async event => {
  event.preventDefault();
  if (ended()) return;
  const code = document.getElementById("code").value.toUpperCase().replace(/[^A-Z2-7]/g, "");
  if (!globalThis.crypto || !crypto.subtle) { say("このブラウザでは開けません。This browser cannot open it."); return; }
  try {
    const raw = await crypto.subtle.importKey("raw", new TextEncoder().encode(code), "PBKDF2", false, ["deriveKey"]);
    const key = await crypto.subtle.deriveKey({name: "PBKDF2", hash: "SHA-256", salt: bytes(file.salt), iterations: file.n}, raw, {name: "AES-GCM", length: 256}, false, ["decrypt"]);
    const head = new TextEncoder().encode("monban muster " + file.v + " " + file.made + " " + file.until);
    const plain = await crypto.subtle.decrypt({name: "AES-GCM", iv: bytes(file.iv), additionalData: head}, key, bytes(file.data));
    show(JSON.parse(new TextDecoder().decode(plain)));
    say("");
    document.getElementById("code").value = "";
  } catch {
    list.replaceChildren();
    say("コードが違うか、ファイルが壊れています。The code is wrong, or the file is damaged.");
  }
});
ended();
setInterval(ended, 10000);
