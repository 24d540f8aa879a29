/** Code of basin maps: loops that follow a method's steps from many starts, generated for one plane. */
import { glsl, scalarGlsl } from "../../engine/scalar/glsl.ts";
import { javaScript } from "../../engine/scalar/javascript.ts";
import { parities } from "../../engine/scalar/parity.ts";
import { pickOutputs, writeStatements, type ScalarFunction } from "../../engine/scalar/scalar.ts";

/** What a basin map is computed by: text and names, so that it can be sent to a worker. */
export interface BasinCode {
  /** A JavaScript function expression, for `basinMap`. */
  readonly javaScript: string;
  /** A fragment shader, for pictures: see {@link basinCode}. */
  readonly fragmentShader: string;
  /** The method's knobs, in the order in which a map wants their values. */
  readonly knobs: readonly string[];
  /** Whether mirroring x₁, or x₂, mirrors every step, digit for digit. */
  readonly mirrors: readonly [boolean, boolean];
}

/** Runs that are followed side by side: one waits for its divisions, others compute meanwhile. */
const lanes = 3;
/** Steps between looks at what is rarely so: the end of the budget, a cycle, an overflow. */
const lookEvery = 16;

/**
 * The code of a scene's basin maps.
 *
 * The fragment shader (GLSL ES 3.00, float32) draws the map in one pass over a viewport: its red
 * channel is the class / 255, as indices into `basinEnds`. Uniforms: `vec4 view` (left, right,
 * bottom, top), `vec2 size` (pixels), `int steps`, `float rate`, `float rest` and `float ratio`
 * (tolerances; float32 does not reach those of float64: 1e-5 and 1e-6 are fit for values around 1),
 * `float minimum` and `bool hasMinimum`, and a float for each knob, by its name.
 *
 * @param scene of `traceScene`.
 */
export function basinCode(scene: ScalarFunction): BasinCode {
  const [, , ...knobs] = scene.inputs;
  const step = pickOutputs(scene, ["gradNorm", "direction1", "direction2"]);
  const rest = pickOutputs(scene, ["loss", "hessian1", "hessian2", "hessian4"]);
  const both = pickOutputs(scene, [...step.outputs, ...rest.outputs]);
  return {
    javaScript: javaScriptLoop(step, rest, knobs),
    fragmentShader: fragmentShader(step, rest, knobs),
    knobs,
    mirrors: [
      isMirrored(both, "x1", ["even", "odd", "even", "even"]),
      isMirrored(both, "x2", ["even", "even", "odd", "even"]),
    ],
  };
}

/** Whether norm, step and value have the given parity, the Hessian its own; the sign of ∂₁₂f does not matter. */
function isMirrored(f: ScalarFunction, input: string, wanted: readonly string[]): boolean {
  const found = parities(f, input);
  const [h11, h12, h22] = found.slice(4);
  const isStep = wanted.every((parity, i) => found[i] === parity);
  return isStep && h11 === "even" && h12 !== "neither" && h22 === "even";
}

/**
 * Runs side by side in one loop, each refilled with the next start once it is settled. A run whose
 * position repeats exactly goes round forever: steps are a function of the position.
 */
function javaScriptLoop(
  step: ScalarFunction,
  rest: ScalarFunction,
  knobs: readonly string[],
): string {
  const runs = Array.from({ length: lanes }, (_, i) => i);
  const atRest = writeStatements(rest, javaScript, ["x1", "x2", ...knobs], "t");
  const [value, h11, h12, h22] = atRest.outputs as [string, string, string, string];
  const refill = (r: number) =>
    `if (next < count) { i${r} = next++; a${r} = starts[2 * i${r}]; b${r} = starts[2 * i${r} + 1]; ` +
    `k${r} = 0; c${r} = first; w${r} = first; p${r} = NaN; live++; } else i${r} = -1;`;
  const settle = (r: number, end: string) =>
    `{ classes[i${r}] = ${end}; used[i${r}] = k${r}; ends[2 * i${r}] = a${r}; ` +
    `ends[2 * i${r} + 1] = b${r}; live--; ${refill(r)} }`;
  const follow = (r: number) => {
    const { lines, outputs } = writeStatements(
      step,
      javaScript,
      [`a${r}`, `b${r}`, ...knobs],
      `s${r}_`,
    );
    const [norm, v1, v2] = outputs as [string, string, string];
    return `if (i${r} >= 0) {
      ${lines.join("\n      ")}
      if (${norm} < restNorm) ${settle(r, `kindAt(a${r}, b${r})`)}
      else if (${v1} * ${v1} + ${v2} * ${v2} < ratio * ratio * (${norm} * ${norm})) ${settle(r, "2")}
      else {
        a${r} -= rate * ${v1};
        b${r} -= rate * ${v2};
        if (++k${r} === c${r}) {
          if (a${r} - a${r} !== 0 || b${r} - b${r} !== 0) ${settle(r, "4")}
          else if (k${r} === steps || (a${r} === p${r} && b${r} === q${r})) ${settle(r, "3")}
          else {
            if (k${r} >= 2 * w${r}) { w${r} = k${r}; p${r} = a${r}; q${r} = b${r}; }
            c${r} = Math.min(k${r} + ${lookEvery}, steps);
          }
        }
      }
    }`;
  };
  return `(starts, count, { steps, rate, restNorm, ratio, minimum }, [${knobs.join(", ")}], classes, used, ends) => {
  const kindAt = (x1, x2) => {
    ${atRest.lines.join("\n    ")}
    if (minimum !== undefined) return ${value} - minimum < 1e-12 ? 0 : 1;
    const half = (${h11} + ${h22}) / 2, spread = Math.hypot((${h11} - ${h22}) / 2, ${h12});
    return half - spread > -1e-6 * Math.abs(half + spread) ? 0 : 1;
  };
  const first = Math.min(${lookEvery}, steps);
  let next = 0, live = 0;
  ${runs.map((r) => `let i${r} = -1, k${r} = 0, c${r} = 0, w${r} = 0, a${r} = 0, b${r} = 0, p${r} = NaN, q${r} = NaN;`).join("\n  ")}
  ${runs.map(refill).join("\n  ")}
  while (live > 0) {
    ${runs.map(follow).join("\n    ")}
  }
}`;
}

function fragmentShader(
  step: ScalarFunction,
  rest: ScalarFunction,
  knobs: readonly string[],
): string {
  const { lines, outputs } = writeStatements(step, glsl, ["x1", "x2", ...knobs], "t");
  const [norm, v1, v2] = outputs as [string, string, string];
  const given = knobs.map((name) => `, ${name}`).join("");
  return `#version 300 es
precision highp float;
precision highp int;
uniform vec4 view;
uniform vec2 size;
uniform int steps;
uniform float rate;
uniform float rest;
uniform float ratio;
uniform float minimum;
uniform bool hasMinimum;
${knobs.map((name) => `uniform float ${name};\n`).join("")}out vec4 color;
${scalarGlsl(rest, "atRest")}
int kindAt(float x1, float x2) {
  float value, h11, h12, h22;
  atRest(x1, x2${given}, value, h11, h12, h22);
  if (hasMinimum) return value - minimum < 1e-5 ? 0 : 1;
  float center = (h11 + h22) / 2.0;
  float spread = length(vec2((h11 - h22) / 2.0, h12));
  return center - spread > -1e-4 * abs(center + spread) ? 0 : 1;
}
void main() {
  vec2 at = (gl_FragCoord.xy - 0.5 * size) / size;
  float x1 = 0.5 * (view.x + view.y) + at.x * (view.y - view.x);
  float x2 = 0.5 * (view.z + view.w) + at.y * (view.w - view.z);
  int end = 3;
  for (int k = 0; k < steps; k++) {
    ${lines.join("\n    ")}
    if (${norm} < rest) { end = kindAt(x1, x2); break; }
    if (length(vec2(${v1}, ${v2})) < ratio * ${norm}) { end = 2; break; }
    x1 -= rate * ${v1};
    x2 -= rate * ${v2};
    if (!(abs(x1) < 1e30 && abs(x2) < 1e30)) { end = 4; break; }
  }
  color = vec4(float(end) / 255.0, 0.0, 0.0, 1.0);
}
`;
}
