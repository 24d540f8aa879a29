import { assert, asyncProperty, constantFrom, integer, letrec, oneof, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { compileScalar, pickOutputs, traceScalar } from "../../engine/index.ts";
import { valueAndGrad, type np } from "../../engine/jax-js.ts";
import { canonicalText, jetOf, parseExpression, traceExpression } from "./expression.ts";
import { expression, expressionEntry } from "./typed.ts";
import { findCritical, planes } from "./index.ts";

/** JavaScript's own reading of a fully parenthesized text. */
const javaScript = (text: string) =>
  // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval -- the test wrote it
  new Function(
    "x1",
    "x2",
    `const { ${Object.getOwnPropertyNames(Math).join(", ")} } = Math; const pi = PI, e = E; return Number(${text.replaceAll("^", "**")});`,
  ) as (x1: number, x2: number) => number;

/** Loss and gradient by the engine's tracer. */
async function traced(text: string) {
  const tree = parseExpression(text);
  const f = await traceScalar(
    ({ x }) => {
      const [loss, gradient] = valueAndGrad((p: np.Array) =>
        traceExpression(tree, p.ref.slice(0), p.slice(1)),
      )(x);
      return { loss, gradient };
    },
    { x: [2] },
  );
  return compileScalar(pickOutputs(f, ["loss", "gradient1", "gradient2"]));
}

/** Texts with a parenthesis around everything, so that precedence is no question. */
const { texts } = letrec<{ texts: string; leaf: string }>((tie) => ({
  leaf: oneof(
    constantFrom("x1", "x2", "pi", "0.5", "3"),
    integer({ min: 1, max: 9 }).map((n) => `(x1*${n}/7)`),
  ),
  texts: oneof(
    { maxDepth: 3, depthSize: "small" },
    tie("leaf"),
    tuple(constantFrom("+", "-", "*", "/"), tie("texts"), tie("texts")).map(
      ([sign, a, b]) => `(${a}${sign}${b})`,
    ),
    tuple(
      constantFrom(
        "sin",
        "cos",
        "tan",
        "exp",
        "tanh",
        "sinh",
        "cosh",
        "atan",
        "abs",
        "asin",
        "acos",
        "log",
        "sqrt",
      ),
      tie("texts"),
    ).map(([name, a]) => `${name}(${a})`),
    tuple(constantFrom("min", "max"), tie("texts"), tie("texts")).map(
      ([name, a, b]) => `${name}(${a},${b})`,
    ),
    // Where both of its arguments vanish, rounding decides the angle.
    tuple(tie("leaf"), tie("leaf")).map(([a, b]) => `atan2(${a},-${b})`),
    tuple(tie("texts"), integer({ min: -3, max: 5 })).map(([a, n]) => `((${a})^(${n}))`),
    tuple(tie("texts"), constantFrom("0.5", "1.3", "x2")).map(([a, n]) => `(abs(${a})^${n})`),
    tie("texts").map((a) => `(-(${a}))`),
    tuple(constantFrom("<", ">", "<=", ">="), tie("texts"), tie("texts")).map(
      ([sign, a, b]) => `((x1${sign}0.3)?${a}:${b})`,
    ),
    constantFrom("sign", "floor", "ceil").map((name) => `${name}(x2*3)`),
  ),
}));

test("typed expressions mean what JavaScript means by them, traced and in plain numbers", async () => {
  let values = 0;
  let slopes = 0;
  await assert(
    asyncProperty(texts, async (text) => {
      const run = await traced(text);
      const tree = parseExpression(text);
      const plain = javaScript(text);
      for (let i = 1; i <= 12; i++) {
        const at = [3 * ((i * 0.618034) % 1) - 1.5, 3 * ((i * 0.414214) % 1) - 1.5] as const;
        const wanted = plain(...at);
        const jet = jetOf(tree, at);
        const [loss = NaN, ...gradient] = run(...at);
        // Beyond these sizes a digit lost inside is many outside.
        if (Math.abs(wanted) > 1e6 || Number.isNaN(wanted)) continue;
        values++;
        expect(Math.abs(loss - wanted), text).toBeLessThan(1e-7 * (1 + Math.abs(wanted)));
        expect(Math.abs(jet.value - wanted), text).toBeLessThan(1e-7 * (1 + Math.abs(wanted)));
        if (![...gradient, ...jet.d].every((slope) => Math.abs(slope) < 1e4)) continue;
        slopes++;
        for (const [k, slope] of gradient.entries()) {
          const gap = Math.abs(slope - (jet.d[k] ?? NaN));
          expect(gap, `${text} at ${String(at)}`).toBeLessThan(1e-6 * (1 + Math.abs(slope)));
        }
      }
    }),
    // Of ten thousand texts rounding decides a few: x/x − 1. So these are the same every time.
    { numRuns: 120, seed: 16 },
  );
  expect(values).toBeGreaterThan(200);
  expect(slopes).toBeGreaterThan(100);
});

describe("second derivatives agree with differences of first ones", () => {
  test.each(
    (
      "x1^3*x2-x2^-2 sin(x1)*exp(x2)/cosh(x1*x2) tan(x1/3)+asin(x2/4)-acos(x1/5) atan2(x1,x2) atan2(x2,x1-3) " +
      "tanh(x1*x2)+log(x1+3)*sqrt(x2+4) (2+x1^2)^x2 2^x1+abs(x2)^1.5 sinh(x2)-atan(x1)*x2%2 max(x1^2,x2)*min(x1,x2)"
    ).split(" "),
  )("%s", (text) => {
    const tree = parseExpression(text);
    const h = 1e-5;
    for (const at of [
      [0.7, 1.3],
      [-0.6, 0.4],
      [0.45, -1.1],
    ] as const) {
      const slope = (a: number, b: number) => jetOf(tree, [at[0] + a, at[1] + b]).d;
      const [a, b] = [slope(h, 0), slope(-h, 0)].map(([one, two]) => [one, two]);
      const [c, d] = [slope(0, h), slope(0, -h)];
      const by = (x: number | undefined, y: number | undefined) =>
        ((x ?? NaN) - (y ?? NaN)) / (2 * h);
      const { dd } = jetOf(tree, at);
      const differences = [by(a?.[0], b?.[0]), by(a?.[1], b?.[1]), by(c?.[1], d?.[1])];
      for (const [i, value] of dd.entries()) {
        const gap = Math.abs(value - (differences[i] ?? NaN));
        expect(gap, `${String(at)} ${i}`).toBeLessThan(1e-6 * (1 + Math.abs(value)));
      }
    }
  });
});

test("formulas are read as formulas, not as programs", () => {
  const at = (text: string) => jetOf(parseExpression(text), [3, 2]).value;
  const cases: readonly (readonly [string, number])[] = [
    ["-x1^2", -9],
    ["(-x1)^2", 9],
    ["2*-x1^2", -18],
    ["2^3^2", 512],
    ["2^-x2", 0.25],
    ["--x2^2", 4],
    ["x₁² − 2×x₂³ ÷ 4 · π", 9 - 4 * Math.PI],
    ["x**2 + y", 11],
    ["1+2*3-4/5%3", 7 - 4 / 5],
    ["x1 > x2 ? 5 : 6", 5],
    ["if(x1 == 3, pow(x2, 3), 0)", 8],
    ["(x1 < 2) + (x2 >= 2)", 1],
    ["ln(e)", 1],
    ["atan2(0*x1, -1)", Math.PI],
    ["atan2(-0*x1, -1)", Math.PI],
    ["atan2(x1-5, x2-4)", -0.75 * Math.PI],
    [".5e1", 5],
  ];
  for (const [text, value] of cases) expect(at(text), text).toBeCloseTo(value, 14);
  expect(canonicalText(" x₁ **2 × π")).toBe("x1^2*pi");
});

describe("what cannot be read is refused in one line", () => {
  test.each([
    ["sn(x1)", 'unknown function "sn" (did you mean "sin"?)'],
    ["x3+1", 'unknown name "x3" (did you mean "x1"?)'],
    ["constructor", 'unknown name "constructor" (choose from x1, x2, x, y, pi, e)'],
    ["toString(x1)", /^unknown function "toString" \(choose from sqrt, /],
    ["atan2(x1)", "invalid atan2: 1 arguments (give 2)"],
    ["(x1", /^invalid f: \(x1 \(a parenthesis is not closed/],
    ["2x1", /^invalid f: 2x1 \(variable names cannot start with a number/],
    ["x1.x2", /^invalid f: x1\.x2 \(give one expression/],
    ["'x1'", /^invalid f: 'x1' \(give numbers, x1, x2/],
    ["x1 && x2", /^invalid f: x1 && x2 \(unexpected "&"/],
    ["x1; x2", /^invalid f: x1; x2 \(give one expression/],
    ["(".repeat(1900), /^invalid f: \(+… \(/],
    ["x1+".repeat(700), "invalid f: 2100 characters (give at most 2,000)"],
    ["", "missing f: give an expression such as sin(x1)*x2^2"],
    ["2+3", "invalid f: 2+3 (use x1, x2 or both)"],
    [
      "log(x1)",
      /^invalid f: log\(x1\) is NaN, its slope .*at the start -0\.8, 0\.4 \(give a start/,
    ],
  ])("%s", (text, message) => {
    expect(() => expression(text)).toThrow(message);
    expect(() => expression(text)).toThrow(expect.objectContaining({ name: "InputError" }));
  });
});

test("Newton's method finds what is known to be critical on every plane", () => {
  let points = 0;
  for (const { create } of Object.values(planes)) {
    const { plane } = create();
    const found = findCritical(plane);
    for (const { kind, points: known } of plane.critical) {
      for (const point of known) {
        const near = Math.min(
          ...found
            .filter((other) => other.kind === kind)
            .flatMap((other) =>
              other.points.map(([a, b]) => Math.hypot(a - point[0], b - point[1])),
            ),
        );
        // Samples of curves lie somewhere on them.
        expect(near, plane.critical.length.toString()).toBeLessThan(known.length > 1 ? 0.4 : 1e-9);
        points++;
      }
    }
    for (const { points: given } of found) {
      for (const x of given) expect(Math.hypot(...plane.gradient(x))).toBeLessThan(1e-8);
    }
  }
  expect(points).toBeGreaterThan(20);
});

test("a typed plane is a plane: closed forms, critical points of each kind, start in its domain", () => {
  const problem = expression("x1^3/3 - x1 + x2^2", {
    domain: [
      [-2, 2],
      [-1, 1],
    ],
  });
  const { plane } = problem;
  expect(problem.name).toBe("expression");
  expect(plane.critical.map(({ kind, points }) => [kind, points])).toEqual([
    ["saddle", [[expect.closeTo(-1, 12), expect.closeTo(0, 12)]]],
    ["minimizer", [[expect.closeTo(1, 12), expect.closeTo(0, 12)]]],
  ]);
  expect(plane.hessian([2, 0])).toEqual([
    [4, 0],
    [0, 2],
  ]);
  expect(plane.minimum).toBeUndefined();
  expect(problem.init(0)).toMatchObject({ x: { shape: [2] } });
  // A degenerate minimizer, where the Hessian vanishes.
  const flat = expression("x1^4 + x2^4").plane.critical;
  expect(flat.map(({ kind }) => kind)).toEqual(["minimizer"]);
});

test("its entry reads text, keeps it in one way of writing, and draws where it is told", () => {
  const options = expressionEntry.options.parse({ f: " sin( x₁ ) * x2 ** 2", range: "-3,3,-1,2" });
  expect(options).toEqual({ f: "sin(x1)*x2^2", range: [-3, 3, -1, 2] });
  const problem = expressionEntry.create({ ...options, dtype: "float64" }, undefined);
  expect(problem.plane?.domain).toEqual([
    [-3, 3],
    [-1, 2],
  ]);
  expect(problem.plane?.value([1, 2])).toBeCloseTo(4 * Math.sin(1), 15);
  for (const range of ["1,0,0,1", "0,1,2", "0,1,0,x"]) {
    expect(expressionEntry.options.safeParse({ range }).success).toBe(false);
  }
});
