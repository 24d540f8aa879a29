/** Exports of a view: what its buttons copy and save. */

/**
 * What a view can hand out, each made when it is asked for. What is absent has no button. The link is
 * the page's address, so every view has it.
 */
export interface Exports {
  /** What saved files are called, without extension: `ridge-rho-1.6`. */
  readonly name: string;
  /** The command that does the same: `lucid train --problem ridge`. */
  readonly command?: (() => string) | undefined;
  readonly svg?: (() => string | Promise<string>) | undefined;
  readonly png?: (() => Blob | Promise<Blob>) | undefined;
  readonly csv?: (() => string | Promise<string>) | undefined;
  readonly json?: (() => unknown) | undefined;
}

/** Hand a file to the reader. Nothing leaves the browser. */
export function save(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** A canvas as a PNG. */
async function pngOf(canvas: HTMLCanvasElement): Promise<Blob> {
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob === null)
    throw new Error("invalid picture: the canvas is empty (make the window larger)");
  return blob;
}

/** An SVG as a PNG of twice its size; paper is what the SVG has of it. */
export async function pngOfSvg(svg: string): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.naturalWidth;
    canvas.height = 2 * image.naturalHeight;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await pngOf(canvas);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Lists as their entries, other objects as JSON. */
const show = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Array.isArray(value)
      ? value.join(" ")
      : JSON.stringify(value);

/** Rows as comma-separated values; columns are the keys of the first. */
export function csvOf(rows: readonly object[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cell = (value: unknown) => {
    const text = value === undefined || value === null ? "" : show(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) =>
    columns.map((column) => cell((row as { readonly [key: string]: unknown })[column])).join(),
  );
  return [columns.map(cell).join(), ...lines, ""].join("\n");
}
