/** Figures and sheets: what a figure is, and how several plots become one. */
import * as Plot from "@observablehq/plot";

/**
 * A picture that any DOM can draw: the browser's, or the one of render.ts. The ink is
 * `currentColor` and the paper is left blank, so that a page decides about light and dark.
 */
export type Figure = (document: Document) => SVGSVGElement;

/** Fonts by preference: the bundled one first, then what the reader's machine has. */
export const fontFamily =
  "Inter, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/** Something at a place: (x, y) is its upper left corner, in pixels. */
export type Panel = { readonly x: number; readonly y: number } & (
  | { readonly plot: Plot.PlotOptions }
  | { readonly drawing: (document: Document) => SVGElement }
  | { readonly heading: string }
);

export interface SheetOptions {
  readonly width: number;
  readonly height: number;
  /** Says what is seen; readers of the screen hear it. */
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Room for the title above the panels. */
export const titleHeight = 34;

/** Lay plots out on one sheet, under one title. */
export function sheet({ width, height, title, panels }: SheetOptions): Figure {
  return (document) => {
    const root = element(document, "svg", {
      xmlns: svgNamespace,
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title,
      fill: "currentColor",
      "font-family": fontFamily,
      "font-size": 12,
      "text-anchor": "middle",
    });
    root.append(text(document, title, { x: 12, y: 22, "font-size": 14 }));
    for (const panel of panels) root.append(draw(document, panel));
    return root as SVGSVGElement;
  };
}

/** Room that a plot leaves around its frame. */
export interface Margins {
  readonly marginTop: number;
  readonly marginRight: number;
  readonly marginBottom: number;
  readonly marginLeft: number;
}

export const margins: Margins = {
  marginTop: 46,
  marginRight: 16,
  marginBottom: 40,
  marginLeft: 52,
};

/** Two lines above the frame of a plot: what it shows, and the label of its y axis. */
export function head(
  title: string,
  label: string,
  { marginTop, marginLeft }: Margins,
): Plot.Markish {
  const place = { frameAnchor: "top-left", lineAnchor: "top", dx: 12 - marginLeft } as const;
  return [
    Plot.text([title], { ...place, dy: 4 - marginTop, fontWeight: "bold" }),
    Plot.text([label && `↑ ${label}`], { ...place, dy: 22 - marginTop }),
  ];
}

/** Panels of one size side by side. */
export interface Tiles {
  readonly width: number;
  /** Of all rows together. */
  readonly height: number;
  /** Upper left corner of a panel. */
  readonly at: (panel: number) => { readonly x: number; readonly y: number };
}

/** Room for so many panels on a sheet: up to three in a row, so that their titles fit, and rows alike. */
export function tiles(count: number, sheetWidth: number, height: number): Tiles {
  const rows = Math.ceil(count / 3);
  const columns = Math.ceil(count / Math.max(1, rows));
  const width = sheetWidth / Math.max(1, columns);
  return {
    width,
    height: rows * height,
    at: (panel) => ({ x: (panel % columns) * width, y: Math.floor(panel / columns) * height }),
  };
}

const svgNamespace = "http://www.w3.org/2000/svg";

/** An SVG element with attributes. */
export function element(
  document: Document,
  name: keyof SVGElementTagNameMap,
  attributes: { readonly [name: string]: string | number },
): SVGElement {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function text(
  document: Document,
  content: string,
  attributes: { readonly [name: string]: string | number },
): SVGElement {
  const made = element(document, "text", {
    "font-weight": 700,
    "text-anchor": "start",
    ...attributes,
  });
  made.append(content);
  return made;
}

function draw(document: Document, panel: Panel): SVGElement {
  const { x, y } = panel;
  if ("heading" in panel) return text(document, panel.heading, { x, y: y + 14 });
  const group = element(document, "g", { transform: `translate(${x},${y})` });
  if ("drawing" in panel) group.append(panel.drawing(document));
  else group.append(...plotNodes(document, panel.plot));
  return group;
}

/**
 * What is inside the `svg` that Plot makes. Nested as it is, the `svg` would be clipped, and the
 * style sheet that comes with it would stretch it.
 */
function plotNodes(document: Document, options: Plot.PlotOptions): Element[] {
  const plot = Plot.plot({ ...options, document });
  for (const node of plot.querySelectorAll("[transform]")) {
    node.setAttribute("transform", rounded(node.getAttribute("transform") ?? ""));
  }
  for (const node of plot.querySelectorAll("text")) if (node.textContent === "") node.remove();
  return [...plot.children].filter((node) => node.nodeName.toLowerCase() !== "style");
}

/** Hundredths of a pixel are plenty, and equal on every machine. */
const rounded = (text: string) =>
  text.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(2))));
