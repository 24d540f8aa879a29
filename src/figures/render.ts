/** Figures in Node: as a self-contained SVG file, inside a page, as PNG. */
import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";
import { parseHTML } from "linkedom";
import type { Figure } from "./figure.ts";

const fontFiles = ["Inter-Regular.ttf", "Inter-Bold.ttf"].map((name) =>
  fileURLToPath(new URL(`./fonts/${name}`, import.meta.url)),
);

/** An SVG for a page, which decides about light and dark by its `color`. */
export function renderInline(figure: Figure): string {
  const { document } = parseHTML("<!doctype html><html></html>");
  return figure(document).outerHTML;
}

/** A self-contained SVG file: dark on white paper, with names of fonts to fall back on. */
export function renderSvg(figure: Figure): string {
  const inline = renderInline(figure);
  return `${inline.replace("<svg ", '<svg color="#111" style="color: #111; background: white" ')}\n`;
}

/** A PNG of the SVG, on white paper, in the bundled font; `scale` pixels per unit, default 2. */
export function renderPng(figure: Figure, { scale = 2 }: { scale?: number } = {}): Uint8Array {
  return new Resvg(renderSvg(figure), {
    background: "white",
    fitTo: { mode: "zoom", value: scale },
    font: { fontFiles, loadSystemFonts: false, defaultFontFamily: "Inter" },
  })
    .render()
    .asPng();
}
