/** Painters of maps: a shader of generated code where WebGL 2 is, plain JavaScript where it is not. */
import type { Point } from "lucid-sam/problems";
import { mapOutputs, type SceneCode } from "./protocol.ts";
import { colorAt, levels, place, type ColorScale, type Ramp } from "./ramps.ts";

/** What is colored: one of the map's outputs. */
export type Shade = (typeof mapOutputs)[number];

/** One map. */
export interface Picture {
  readonly shade: Shade;
  readonly view: readonly [Point, Point];
  /** Values of the scene's knobs, in its order. */
  readonly knobs: readonly number[];
  readonly scale: ColorScale;
  readonly ramp: Ramp;
}

const vertexShader = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

/** The shader of a scene: its color is that of `colorAt`, with lines between levels. */
function fragmentShader({ glsl, knobs }: Pick<SceneCode, "glsl" | "knobs">): string {
  const given = knobs.map((_, i) => `, knob${i}`).join("");
  return `#version 300 es
precision highp float;
precision highp int;
uniform vec4 view;
uniform vec2 size;
uniform vec3 scale;
uniform vec3 low;
uniform vec3 high;
uniform vec3 line;
uniform int shade;
${knobs.map((_, i) => `uniform float knob${i};`).join("\n")}
out vec4 color;
${glsl}
void main() {
  vec2 at = gl_FragCoord.xy / size;
  float loss, shifted, slope;
  see(mix(view.x, view.y, at.x), mix(view.z, view.w, at.y)${given}, loss, shifted, slope);
  float value = shade == 0 ? loss : shade == 1 ? shifted : slope;
  float t = min(1.0, log(1.0 + max(0.0, value - scale.x) / scale.z) / log(1.0 + (scale.y - scale.x) / scale.z));
  float n = t * ${levels}.0;
  float band = min(${levels - 1}.0, floor(n));
  vec3 fill = mix(low, high, 0.75 * (band + 0.5) / ${levels}.0 + 0.25 * t);
  float width = fwidth(n);
  float near = abs(fract(n - 0.5) - 0.5) / max(width, 1e-6);
  float ink = n > 0.5 && t < 1.0 && width < 0.6 ? 0.55 * (1.0 - smoothstep(0.4, 1.1, near)) : 0.0;
  color = vec4(value == value ? mix(fill, line, ink) : high, 1.0);
}`;
}

/** A shader's program with its uniforms. */
interface Program {
  readonly program: WebGLProgram;
  readonly at: (name: string) => WebGLUniformLocation | null;
}

/** Scenes whose programs are kept. */
const mostPrograms = 8;

/** Pixels of a map. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** WebGL 2 on one canvas, whose pictures are handed to that of each map. */
export class ShaderPainter {
  readonly #canvas: OffscreenCanvas;
  readonly #gl: WebGL2RenderingContext;
  readonly #programs = new Map<string, Program>();

  private constructor(canvas: OffscreenCanvas, gl: WebGL2RenderingContext) {
    this.#canvas = canvas;
    this.#gl = gl;
    gl.bindVertexArray(gl.createVertexArray());
  }

  /** A painter, where the browser has WebGL 2. */
  static make(): ShaderPainter | undefined {
    const canvas = new OffscreenCanvas(1, 1);
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false });
    return gl === null ? undefined : new ShaderPainter(canvas, gl);
  }

  /** A map of so many pixels; nothing where the driver refuses the shader or the context is lost. */
  paint(
    scene: Pick<SceneCode, "glsl" | "knobs">,
    { shade, view, knobs, scale, ramp }: Picture,
    { width, height }: Size,
  ): ImageBitmap | undefined {
    const gl = this.#gl;
    const program = gl.isContextLost() ? undefined : this.#programOf(scene);
    if (program === undefined) return undefined;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.useProgram(program.program);
    gl.uniform4f(program.at("view"), ...view[0], ...view[1]);
    gl.uniform2f(program.at("size"), width, height);
    gl.uniform3f(program.at("scale"), scale.low, scale.high, scale.soft);
    for (const name of ["low", "high", "line"] as const) {
      const [r, g, b] = ramp[name];
      gl.uniform3f(program.at(name), r / 255, g / 255, b / 255);
    }
    gl.uniform1i(program.at("shade"), mapOutputs.indexOf(shade));
    for (const [i, value] of knobs.entries()) gl.uniform1f(program.at(`knob${i}`), value);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return this.#canvas.transferToImageBitmap();
  }

  #programOf(scene: Pick<SceneCode, "glsl" | "knobs">): Program | undefined {
    const known = this.#programs.get(scene.glsl);
    if (known) return known;
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, vertexShader],
      [gl.FRAGMENT_SHADER, fragmentShader(scene)],
    ] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) return undefined;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
      gl.deleteProgram(program);
      return undefined;
    }
    const places = new Map<string, WebGLUniformLocation | null>();
    const made: Program = {
      program,
      at(name) {
        let found = places.get(name);
        if (found === undefined) {
          found = gl.getUniformLocation(program, name);
          places.set(name, found);
        }
        return found;
      },
    };
    for (const [source, { program }] of this.#programs) {
      if (this.#programs.size < mostPrograms) break;
      gl.deleteProgram(program);
      this.#programs.delete(source);
    }
    this.#programs.set(scene.glsl, made);
    return made;
  }
}

/** Cells of a map that JavaScript paints, while it moves and at rest; the browser smooths between them. */
export const plainCells = { moving: 9000, resting: 60_000 } as const;
/** Colors of a ramp that are told apart. */
const shades = 512;

const tables = new WeakMap<Ramp, Uint32Array>();

/** A ramp's colors in the order of an image's bytes. */
function tableOf(ramp: Ramp): Uint32Array {
  const known = tables.get(ramp);
  if (known) return known;
  const bytes = new Uint8Array(4 * (shades + 1));
  for (let i = 0; i <= shades; i++) {
    bytes.set([...colorAt(ramp, i / shades).map(Math.round), 255], 4 * i);
  }
  const table = new Uint32Array(bytes.buffer);
  tables.set(ramp, table);
  return table;
}

let plain: OffscreenCanvas | undefined;

/**
 * Paint by calling a function at every cell of a map with about the given proportions.
 *
 * @param value what is colored at (x₁, x₂).
 */
export function paintPlainly(
  value: (x1: number, x2: number) => number,
  { view: [[left, right], [bottom, top]], scale, ramp }: Pick<Picture, "view" | "scale" | "ramp">,
  { width, height }: Size,
  cells: number,
): ImageBitmap | undefined {
  const columns = Math.max(1, Math.round(Math.sqrt((cells * width) / height)));
  const rows = Math.max(1, Math.round(cells / columns));
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const table = tableOf(ramp);
  for (let row = 0; row < rows; row++) {
    const x2 = top - ((row + 0.5) * (top - bottom)) / rows;
    for (let column = 0; column < columns; column++) {
      const t = place(scale, value(left + ((column + 0.5) * (right - left)) / columns, x2));
      pixels[row * columns + column] = table[t >= 0 ? Math.round(t * shades) : shades] ?? 0;
    }
  }
  plain ??= new OffscreenCanvas(columns, rows);
  if (plain.width !== columns) plain.width = columns;
  if (plain.height !== rows) plain.height = rows;
  plain.getContext("2d")?.putImageData(image, 0, 0);
  return plain.transferToImageBitmap();
}
