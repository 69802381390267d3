/**
 * The navigation as keyboards and screen readers need it: what opens a part is not a link at the same time. The link becomes the
 * part's first entry.
 */
function separate(summary: Element): void {
  const link = summary.querySelector("a");
  if (link === null) return;
  const name = document.createElement("span");
  name.append(...link.childNodes);
  const entry = document.createElement("li");
  const overview = link.cloneNode(false) as HTMLElement;
  overview.textContent = "Overview";
  entry.append(overview);
  summary.parentElement?.querySelector("ul")?.prepend(entry);
  link.replaceWith(name);
}

export function mendNavigation(): void {
  const mend = (): void => {
    for (const summary of document.querySelectorAll("details > summary:has(a)")) separate(summary);
  };
  mend();
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
}
