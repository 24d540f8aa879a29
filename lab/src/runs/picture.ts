/** Pictures of what is on the page: its drawings, one below the other, as SVG. */
import { InputError } from "lucid-sam/engine";
import { colorOf } from "../shared/theme.svelte.ts";

const namespace = "http://www.w3.org/2000/svg";
const gap = 8;

/** All drawings marked `data-figure` in a part of the page, in the colors that are shown. */
export function svgOf(part: HTMLElement | undefined, title: string): string {
  const drawings = [...(part?.querySelectorAll<SVGSVGElement>("svg[data-figure]") ?? [])];
  if (drawings.length === 0) throw new InputError("missing picture: nothing is drawn here yet");
  const root = document.createElementNS(namespace, "svg");
  let [width, y] = [0, 28];
  const heading = document.createElementNS(namespace, "text");
  for (const [name, value] of Object.entries({ x: "8", y: "19", "font-weight": "bold" })) {
    heading.setAttribute(name, value);
  }
  heading.textContent = title;
  root.append(heading);
  for (const drawing of drawings) {
    const size = sizeOf(drawing);
    const copy = drawing.cloneNode(true) as SVGSVGElement;
    for (const [name, value] of Object.entries({ ...size, x: 0, y })) {
      copy.setAttribute(name, String(value));
    }
    for (const transient of copy.querySelectorAll("[data-transient]")) transient.remove();
    root.append(copy);
    width = Math.max(width, size.width);
    y += size.height + gap;
  }
  const paper = document.createElementNS(namespace, "rect");
  for (const [name, value] of Object.entries({ width, height: y, fill: colorOf("--panel") })) {
    paper.setAttribute(name, String(value));
  }
  root.prepend(paper);
  for (const [name, value] of Object.entries({
    xmlns: namespace,
    width,
    height: y,
    viewBox: `0 0 ${width} ${y}`,
    fill: "currentColor",
    color: colorOf("--ink"),
    "font-family": "Inter, system-ui, sans-serif",
    "font-size": 12,
  })) {
    root.setAttribute(name, String(value));
  }
  return new XMLSerializer().serializeToString(root);
}

function sizeOf(drawing: SVGSVGElement): { width: number; height: number } {
  const { width, height } = drawing.viewBox.baseVal;
  return { width, height };
}
