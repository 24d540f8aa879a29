/** Words of the runs view: numbers, values on axes, names of what is drawn. */
import type { Quantity } from "./fields.ts";
import type { Item } from "./reader/protocol.ts";

/** Four digits, as reports have them; a dash for what there is not. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return "not finite";
  return String(Number(value.toPrecision(4)));
}

/** `12,345` */
export const whole = (value: number): string => value.toLocaleString("en-US");

/** `1 file`, `2 files` */
export const counted = (count: number, what: string): string =>
  `${whole(count)} ${what}${count === 1 ? "" : "s"}`;

/** A value on an axis, as filters have it. */
export const valueText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "–");

/** What stands for a text that addresses encode; what is none, as it is. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What quantities are called. */
export const quantityNames: Readonly<Record<Quantity, string>> = {
  loss: "loss f(x)",
  shiftedLoss: "f(x⁺), seen by SAM",
  lossGap: "f(x⁺) − f(x)",
  gradNorm: "‖g‖",
  shiftedGradNorm: "‖g⁺‖",
  gradRatio: "GradRatio ‖g⁺‖/‖g‖",
  cosine: "cos(g, g⁺)",
};

/** What kinds of items are called. */
export const kindNames: Readonly<Record<Item["kind"], string>> = {
  run: "run",
  study: "study",
  log: "log",
  point: "point",
  problem: "exported problem",
  certificate: "certificate",
  landscape: "landscape",
  unknown: "not known",
};
