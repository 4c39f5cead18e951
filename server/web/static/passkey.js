// Passkeys, and going on by itself after a provider. The browser does the rest: what it gives back is posted as a
// form like any other. Without script the forms of passkeys stay hidden, and passwords work.

const can = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON && window.isSecureContext;

async function prove(form) {
  const res = await fetch(form.dataset.options, { method: "POST", credentials: "same-origin" });
  if (!res.ok || !(res.headers.get("Content-Type") || "").startsWith("application/json")) {
    throw new Error(String(res.status));
  }
  const options = (await res.json()).publicKey;
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

for (const words of document.querySelectorAll("[data-without]")) {
  words.hidden = Boolean(can);
}
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!can) { continue; }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = form.querySelector("[data-fault]");
    const button = form.querySelector("button[type=submit]");
    fault.hidden = true;
    button.disabled = true;
    try {
      const credential = await prove(form);
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch {
      fault.textContent = fault.dataset.fault;
      fault.hidden = false;
      button.disabled = false;
    }
  });
}

document.querySelector("form[data-go]")?.submit();
