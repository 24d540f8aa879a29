/** Generated GLSL on a real WebGL2: the same numbers as float64 has, to the digits of float32. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basinCode, basinMap, traceScene } from "../../src/diagnostics/index.ts";
import { compileScalar, pickOutputs, scalarGlsl } from "../../src/engine/index.ts";
import { expression, planes } from "../../src/problems/index.ts";
import { createMethod } from "../../src/sam/registry.ts";

const run = promisify(execFile);

async function findChromium(): Promise<string | undefined> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const found = await run(name, ["--version"]).catch(() => undefined);
    if (found !== undefined) return name;
  }
  return undefined;
}

const chromium = await findChromium();
if (chromium === undefined) console.warn("skipped: no Chromium here (apt-get install chromium)");

/** A shader, and what it is drawn with: a row or a map of pixels of four floats each. */
interface Drawing {
  readonly fragment: string;
  readonly width: number;
  readonly height: number;
  /** By the names of uniforms: lists of two are points. */
  readonly uniforms: { readonly [name: string]: number | readonly number[] };
}

/** In the page: draw everything, write the pixels into the document. */
function drawAll(drawings: readonly Drawing[]): unknown {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (gl === null) return { error: "no WebGL2" };
  if (gl.getExtension("EXT_color_buffer_float") === null) return { error: "no float targets" };
  const shader = (type: number, source: string) => {
    const made = gl.createShader(type) as WebGLShader;
    gl.shaderSource(made, source);
    gl.compileShader(made);
    const log = gl.getShaderInfoLog(made) ?? "";
    if (!gl.getShaderParameter(made, gl.COMPILE_STATUS)) throw new Error(log + source);
    return made;
  };
  const corners =
    "#version 300 es\nvoid main() { gl_Position = vec4(vec2(gl_VertexID % 2, gl_VertexID / 2) * 4.0 - 1.0, 0.0, 1.0); }";
  try {
    return drawings.map(({ fragment, width, height, uniforms }) => {
      const program = gl.createProgram();
      gl.attachShader(program, shader(gl.VERTEX_SHADER, corners));
      gl.attachShader(program, shader(gl.FRAGMENT_SHADER, fragment));
      gl.linkProgram(program);
      gl.useProgram(program);
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, width, height);
      gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
      const texture = gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture;
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
      gl.viewport(0, 0, width, height);
      for (const [name, value] of Object.entries(uniforms)) {
        const at = gl.getUniformLocation(program, name);
        const isWhole = name === "steps" || name === "hasMinimum";
        if (typeof value === "number") gl[isWhole ? "uniform1i" : "uniform1f"](at, value);
        else if (name === "view") gl.uniform4fv(at, value);
        else gl.uniform2fv(at, value);
      }
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      const pixels = new Float32Array(4 * width * height);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, pixels);
      return Array.from(pixels);
    });
  } catch (error) {
    return { error: String(error) };
  }
}

const count = 128;
const rho = 0.6;
const seen = ["loss", "gradient1", "gradient2", "shiftedLoss"];
const ahead = ["ascentPoint1", "ascentPoint2", "shiftedGradient1", "shiftedGradient2"];
const typed =
  "tanh(40*x1)*sinh(x2/2) + atan2(x1, x2+3)^2 + abs(x1-x2) + min(x1^3, exp(-x2^2))/2^x1";
const drawn = [...Object.values(planes).map(({ create }) => create()), expression(typed)];

let folder = "";
const wanted: { words: string; values: number[][] }[] = [];
let given: number[][] = [];
const basins = { width: 48, height: 48, steps: 800, rate: 0.02, rho: 1.6 };
let basinClasses: Uint8Array;

beforeAll(async () => {
  if (chromium === undefined) return;
  const drawings: Drawing[] = [];
  for (const problem of drawn) {
    const [[left, right], [bottom, top]] = problem.plane.domain;
    const points = Array.from({ length: count }, (_, i) => [
      Math.fround(left + (right - left) * (((i + 1) * 0.618034) % 1)),
      Math.fround(bottom + (top - bottom) * (((i + 1) * 0.414214) % 1)),
    ]);
    const { f } = await traceScene({
      problem,
      method: (outer) => createMethod("sam", {}, outer),
    });
    for (const names of [seen, ahead]) {
      const four = pickOutputs(f, names);
      drawings.push({
        fragment: `#version 300 es
precision highp float;
uniform vec2 points[${count}];
uniform float rho;
out vec4 color;
${scalarGlsl(four, "scene")}
void main() {
  vec2 x = points[int(gl_FragCoord.x)];
  scene(x.x, x.y, rho, color.r, color.g, color.b, color.a);
}`,
        width: count,
        height: 1,
        uniforms: { points: points.flat(), rho },
      });
      const plain = compileScalar(four);
      wanted.push({
        words: `${problem.name}: ${names.join(", ")}`,
        values: points.map((x) => plain(...x, Math.fround(rho))),
      });
    }
  }
  const { plane } = planes.ridge.create();
  const { f } = await traceScene({
    problem: planes.ridge.create(),
    method: (outer) => createMethod("sam", {}, outer),
  });
  const code = basinCode(f);
  const { width, height, steps, rate } = basins;
  const tolerances = { restNorm: 1e-5, ratio: 1e-5 };
  const options = { code, knobs: { rho: basins.rho }, view: plane.domain, steps, rate };
  for (const map of basinMap({
    ...options,
    ...tolerances,
    columns: width,
    rows: height,
    minimum: 0,
  })) {
    basinClasses = map.classes;
  }
  drawings.push({
    fragment: code.fragmentShader,
    width,
    height,
    uniforms: {
      view: plane.domain.flat(),
      size: [width, height],
      steps,
      rate,
      rho: basins.rho,
      rest: 1e-5,
      ratio: 1e-5,
      minimum: 0,
      hasMinimum: 1,
    },
  });
  folder = await mkdtemp(join(tmpdir(), "lucid-glsl-"));
  const page = join(folder, "page.html");
  const script = `const drawAll = ${drawAll.toString()};
document.body.textContent = JSON.stringify(drawAll(${JSON.stringify(drawings)}));`;
  await writeFile(
    page,
    `<!doctype html><body></body><script>${script.replaceAll("</", "<\\/")}</script>`,
  );
  const { stdout } = await run(
    chromium,
    [
      "--headless",
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      `--user-data-dir=${join(folder, "profile")}`,
      "--dump-dom",
      pathToFileURL(page).href,
    ],
    { timeout: 170_000, maxBuffer: 1 << 26 },
  );
  const json = /<body>(.*?)(<script|<\/body>)/s.exec(stdout)?.[1] ?? "";
  const said = JSON.parse(json.replaceAll("&gt;", ">").replaceAll("&lt;", "<")) as unknown;
  expect(said).not.toHaveProperty("error");
  given = said as number[][];
});

afterAll(async () => {
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

const inBrowser = test.skipIf(chromium === undefined);

inBrowser("every plane's scene on WebGL2 is float64's, to the digits of float32", () => {
  expect(wanted).toHaveLength(2 * drawn.length);
  for (const [i, { words, values }] of wanted.entries()) {
    const pixels = given[i] ?? [];
    // GLSL asks for 11 bits of sin and cos and leaves others to the processor.
    const digits = /^(cosine|wide-narrow|bump|expression)/.test(words) ? 1e-3 : 2e-5;
    expect(pixels).toHaveLength(4 * count);
    for (const k of [0, 1, 2, 3]) {
      const column = values.map((row) => row[k] ?? NaN);
      const size = Math.max(...column.map(Math.abs));
      const gaps = column.map((value, j) => Math.abs(value - (pixels[4 * j + k] ?? NaN)));
      expect(Math.max(...gaps), `${words}, value ${k + 1}`).toBeLessThan(
        digits * Math.max(size, 1),
      );
    }
  }
});

inBrowser("the basin map of the shader is the one of float64, but for pixels at edges", () => {
  const pixels = given.at(-1) ?? [];
  const classes = Array.from(basinClasses, (_, i) => Math.round(255 * (pixels[4 * i] ?? NaN)));
  expect(new Set(classes).size).toBeGreaterThan(1);
  const differ = classes.filter((kind, i) => kind !== basinClasses[i]).length;
  expect(differ).toBeLessThan(0.01 * classes.length);
});
