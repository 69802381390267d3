/** The page on which the service is tried. */
import type { Predictor } from "@torte/data";
import { escaped } from "../report/html.js";

export function pageOf({ encoding }: Predictor, { name }: { readonly name: string }): string {
  const fields = encoding.columns
    .map((column, i) => {
      const kind = encoding.toJSON().columns[i]?.encoder.kind ?? "text";
      const id = `field-${i}`;
      const label = `<label for="${id}">${escaped(column)} <span class="kind">${escaped(kind)}</span></label>`;
      if (kind === "image")
        return `${label}<input id="${id}" data-column="${escaped(column)}" data-kind="image" type="file" accept="image/png,image/jpeg">`;
      return kind === "number" || kind === "category"
        ? `${label}<input id="${id}" data-column="${escaped(column)}" data-kind="${kind}" autocomplete="off">`
        : `${label}<textarea id="${id}" data-column="${escaped(column)}" data-kind="${kind}" rows="5" spellcheck="false"></textarea>`;
    })
    .join("\n");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(name)}</title>
<link rel="icon" href="data:,">
<style>
body { margin: 0 auto; max-width: 44rem; padding: 1rem; font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff; }
label { display: block; margin-top: .75rem; font-weight: 600; } .kind { font-weight: 400; color: #555; }
textarea, input { width: 100%; box-sizing: border-box; font: .9rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; padding: .5rem; border: 1px solid #767676; border-radius: 4px; }
button { margin: 1rem 0; padding: .5rem 1.25rem; font: inherit; color: #fff; background: #00598c; border: 0; border-radius: 4px; }
button:focus-visible, textarea:focus-visible, input:focus-visible { outline: 3px solid #b34700; outline-offset: 1px; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ddd; }
</style>
</head>
<body>
<main>
<h1>${escaped(name)}</h1>
<p>Predicts ${escaped(encoding.target.column)}. Programs ask by POST at <a href="/openapi.json">/predict</a>.</p>
<form id="form">
${fields}
<button>Predict</button>
</form>
<div id="answer" role="status" aria-live="polite"></div>
</main>
<script src="/app.js" type="module"></script>
</body>
</html>
`;
}

/** Of the page. */
export const SCRIPT = `const form = document.getElementById("form");
const answer = document.getElementById("answer");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  answer.textContent = "…";
  const row = {};
  for (const field of form.querySelectorAll("[data-column]"))
    row[field.dataset.column] = field.type === "file" ? await address(field.files[0]) : field.value.trim() || null;
  try {
    const response = await fetch("/predict", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ rows: [row] }),
    });
    const body = await response.json();
    show(response.ok ? body.predictions[0] : { error: body.error });
  } catch (error) {
    show({ error: String(error) });
  }
});
/** A file as a data: address. */
const address = (file) =>
  file === undefined
    ? null
    : new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(file);
      });
const shown = (value) =>
  typeof value === "number"
    ? String(Number(value.toPrecision(6)))
    : typeof value === "object"
      ? Object.entries(value).map(([name, of]) => name + " " + shown(of)).join(", ")
      : value;
function show(facts) {
  const table = document.createElement("table");
  for (const [name, value] of Object.entries(facts)) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = shown(value);
  }
  answer.replaceChildren(table);
}
`;
