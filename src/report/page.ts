/** HTML pages that need nothing but themselves. */
import type { Figure } from "../figures/figure.ts";
import { verdictMarks } from "../figures/marks.ts";
import { renderInline } from "../figures/render.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";

/** A whole page; `body` is HTML, `title` is text. */
export const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
<script>${sorting}</script>
</body>
</html>
`;

/** A figure with a caption, which is HTML. */
export const picture = (figure: Figure, caption: string): string =>
  `<figure><div class="scroll">${renderInline(figure)}</div><figcaption>${caption}</figcaption></figure>`;

/** A verdict's name in its color. */
export const verdictTag = (name: VerdictName): string =>
  `<span class="verdict" style="--color: ${verdictMarks[name].color}">${escape(name)}</span>`;

/** A table whose cells are HTML. A click on a head sorts by that column, a second one the other way. */
export const htmlTable = (
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string => `<div class="scroll">
<table>
<thead><tr>${heads.map((name) => `<th>${name === "" ? "" : `<button type="button">${name}</button>`}</th>`).join("")}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("\n")}
</tbody>
</table>
</div>`;

/** Text as HTML. */
export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

export const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Numbers sort as numbers, everything else as text; what is missing comes last. */
const sorting = `
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, column = [...head.parentElement.children].indexOf(head);
  const body = head.closest("table").tBodies[0], down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const of = (row) => row.cells[column].textContent.trim();
  const number = (text) => /^[-−+\\d.]/.test(text) ? Number(text.replace(/[,% ]/g, "").replace("−", "-")) : Infinity;
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      return Number.isFinite(y) - Number.isFinite(x) || a.localeCompare(b);
    }
    return (x - y) * (down ? -1 : 1);
  };
  body.append(...[...body.rows].sort((a, b) => compare(of(a), of(b))));
});`;

const style = `
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --soft: #6b6b6b; --line: #ddd; --card: #f6f6f4; --shade: #0003; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e6; --paper: #161618; --soft: #a0a0a0; --line: #38383c; --card: #202024; --shade: #fff3; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.9rem; line-height: 1.2; }
h2 { margin-top: 2.4em; font-size: 1.3rem; }
h3 { margin: 0; font-size: 1rem; }
p, li { max-width: 46em; }
.lead { font-size: 1.1rem; }
.small, figcaption { color: var(--soft); font-size: 0.9rem; }
figure { margin: 24px 0; }
figcaption { margin-top: 4px; max-width: 50em; }
.scroll { overflow-x: auto; }
/* A shade at the edge beyond which there is more; the paper that covers it scrolls along. */
figure > .scroll { background:
  linear-gradient(to right, var(--paper) 50%, transparent) left / 40px 100% no-repeat local,
  linear-gradient(to left, var(--paper) 50%, transparent) right / 40px 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / 16px 100% no-repeat,
  linear-gradient(to left, var(--shade), transparent) right / 16px 100% no-repeat; }
svg { display: block; width: 100%; min-width: 640px; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort="ascending"] button::after { content: " ↑"; }
th[aria-sort="descending"] button::after { content: " ↓"; }
tr:target { background: var(--card); }
@media (max-width: 480px) { h1 { font-size: 1.5rem; } main { padding: 12px 12px 48px; } }
.verdict { display: inline-block; padding: 0 7px; border: 1px solid var(--line); border-left: 6px solid var(--color); border-radius: 4px; font-size: 0.85rem; font-weight: 600; white-space: nowrap; }
section { margin: 12px 0; padding: 14px 16px; border-radius: 8px; background: var(--card); }
section p { margin: 8px 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 6px 20px; margin: 10px 0 0; font-size: 0.9rem; }
dt { color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
code { font-size: 0.9em; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #444; --line: #bbb; --card: #fff; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, section, tr { break-inside: avoid; }
  .scroll, figure > .scroll { overflow: visible; background: none; }
  svg { min-width: 0; }
  table { font-size: 0.68rem; }
  th, td { padding-right: 6px; white-space: normal; }
  td code { overflow-wrap: anywhere; }
  .verdict { padding: 0 3px; border-left-width: 4px; font-size: inherit; white-space: normal; }
  th button::after { content: none !important; }
  .screen { display: none; }
}
`;
