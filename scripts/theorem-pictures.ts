/**
 * The pictures of docs/hallucinated-minimizer.md, from stored rows, and of docs/output-bias.md.
 *
 *     node --conditions=source scripts/theorem-pictures.ts
 */
import { resolve } from "node:path";
import * as Plot from "@observablehq/plot";
import { compileDerivatives } from "../src/diagnostics/point/derivatives.ts";
import { samPoint } from "../src/diagnostics/point/sam-point.ts";
import { randomStream } from "../src/engine/random.ts";
import { head, margins, sheet, titleHeight, type Figure } from "../src/figures/figure.ts";
import { logAxis, logExtent } from "../src/figures/scales.ts";
import { verdictMarks } from "../src/figures/marks.ts";
import { renderPng, renderSvg } from "../src/figures/render.ts";
import { makeFolder, writeBytes, writeText } from "../src/platform/node/files.ts";
import type { Tensor } from "../src/engine/tensor.ts";
import { regression } from "../src/problems/networks/regression.ts";
import { readHallucinatedMinimizer } from "../studies/tables/hallucinated-minimizer.ts";

const folder = resolve(import.meta.dirname, "../docs/images");
/** Blue: where the weights are. Red: where SAM looks. */
const [here, there] = [verdictMarks.minimizer.color, verdictMarks["hallucinated-minimizer"].color];
const [width, height] = [430, 290];

const written = async (name: string, figure: Figure) => {
  await makeFolder(folder);
  await writeText(resolve(folder, `${name}.svg`), renderSvg(figure));
  await writeBytes(resolve(folder, `${name}.png`), renderPng(figure));
};

/** The network of the problem `regression`, a·tanh(4(w z + b)) + c, with parameters w, b, a, c. */
const output = (
  [w1 = 0, w2 = 0, b1 = 0, b2 = 0, a1 = 0, a2 = 0, c = 0]: readonly number[],
  z: number,
) => a1 * Math.tanh(4 * (w1 * z + b1)) + a2 * Math.tanh(4 * (w2 * z + b2)) + c;

async function minimizerFigure(): Promise<Figure> {
  const { rho, point, history, shiftedHessian, certificate } = readHallucinatedMinimizer();
  const problem = regression();
  const f = await compileDerivatives(problem);
  // Trees list a, b, c, w.
  const order = [4, 5, 2, 3, 6, 0, 1];
  const { ascentPoint } = await samPoint(
    f,
    Float64Array.from(order, (i) => point[i] ?? NaN),
    rho,
  );
  await f.dispose();
  const ahead = order.reduce<number[]>((all, to, from) => {
    all[to] = ascentPoint[from] ?? NaN;
    return all;
  }, []);
  const { x, y } = problem.train.batch as { x: Tensor; y: Tensor };
  const samples = Array.from(x.data, (z, i) => ({ z, target: y.data[i] ?? NaN }));
  const grid = Array.from({ length: 201 }, (_, i) => i / 100 - 1);
  const fit = (name: string, params: readonly number[]) =>
    grid.map((z) => ({ name, z, value: output(params, z) }));
  const shown = history.map((row) => ({ ...row, thousands: row.step / 1000 }));
  const series = (names: readonly (readonly [keyof (typeof shown)[number], string])[]) =>
    names.flatMap(([key, name]) =>
      shown.map((row) => ({ name, thousands: row.thousands, value: row[key] })),
    );
  const color = { domain: ["x", "x⁺"], range: [here, there] };
  const panel = (column: number, row: number, plot: Plot.PlotOptions) => ({
    x: column * width,
    y: titleHeight + row * height,
    plot: { width, height, ...margins, color, ...plot },
  });
  const wide = { ...margins, marginRight: 58 };
  const runPlot = (title: string, label: string, rows: ReturnType<typeof series>) => ({
    ...wide,
    x: { label: "step, thousands", ticks: 5 },
    y: logAxis(logExtent(rows.map(({ value }) => value))).scale,
    marks: [
      logAxis(logExtent(rows.map(({ value }) => value))).axis,
      head(title, label, wide),
      Plot.line(rows, { x: "thousands", y: "value", stroke: "name", strokeWidth: 1.75 }),
      Plot.text(
        rows,
        Plot.selectLast({
          x: "thousands",
          y: "value",
          z: "name",
          text: (row: { name: string }) => (row.name === "x" ? "at x" : "at x⁺"),
          textAnchor: "start",
          dx: 6,
        }),
      ),
    ],
  });
  const spectra = [
    ...shiftedHessian.map((value) => ({ matrix: "H⁺", value })),
    ...certificate.details.spectrum.map(({ re }) => ({ matrix: "H⁺M", value: re })),
  ];
  return sheet({
    width: 2 * width,
    height: titleHeight + 2 * height,
    title: "A network in which SAM converges to a hallucinated minimizer: ρ = 2, 7 parameters",
    panels: [
      panel(
        0,
        0,
        runPlot(
          "Losses of the run",
          "loss f",
          series([
            ["loss", "x"],
            ["shiftedLoss", "x⁺"],
          ]),
        ),
      ),
      panel(
        1,
        0,
        runPlot(
          "Gradients of the run",
          "norm of the gradient",
          series([
            ["gradNorm", "x"],
            ["shiftedGradNorm", "x⁺"],
          ]),
        ),
      ),
      panel(0, 1, {
        ...wide,
        x: { label: "input" },
        y: { label: null, ticks: 5, grid: true },
        marks: [
          head("The curve at the limit, and the 16 points", "output", wide),
          Plot.dot(samples, { x: "z", y: "target", r: 3 }),
          Plot.line([...fit("x", point), ...fit("x⁺", ahead)], {
            x: "z",
            y: "value",
            stroke: "name",
            strokeWidth: 1.75,
          }),
          Plot.text(
            [...fit("x", point), ...fit("x⁺", ahead)],
            Plot.selectLast({
              x: "z",
              y: "value",
              z: "name",
              text: (row: { name: string }) => (row.name === "x" ? "at x" : "at x⁺"),
              textAnchor: "start",
              dx: 6,
            }),
          ),
        ],
      }),
      panel(1, 1, {
        ...wide,
        x: {
          type: "log",
          domain: [0.003, 400],
          label: "eigenvalue",
          ticks: [0.01, 0.1, 1, 10, 100],
          tickFormat: "~g",
          grid: true,
        },
        y: { type: "point", domain: ["H⁺", "H⁺M"], label: null },
        marks: [
          head("Spectra at the limit: every eigenvalue is positive", "", wide),
          Plot.dot(spectra, { x: "value", y: "matrix", r: 4.5, fill: there }),
        ],
      }),
    ],
  });
}

/** f along one parameter of the last layer of small networks, from random parameters. */
function biasFigure(): Figure {
  const [samples, inputs, hidden, outputs] = [12, 3, 4, 3];
  const stream = randomStream(0, "picture of the output bias");
  const draw = (count: number, scale = 1) =>
    Array.from({ length: count }, () => scale * stream.normal());
  const z = Array.from({ length: samples }, () => draw(inputs));
  const labels = z.map(() => stream.integer(outputs));
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  /** Mean cross-entropy, with t added to the first output, or to the weight from the first unit to it. */
  const loss = (
    {
      inner,
      offsets,
      last,
      biases,
    }: { inner: number[][]; offsets: number[]; last: number[][]; biases: number[] },
    t: number,
    along: "bias" | "weight",
  ) =>
    z.reduce((sum, input, n) => {
      const units = inner.map((row, j) => Math.tanh(dot(row, input) + (offsets[j] ?? 0)));
      const logits = last.map(
        (row, k) =>
          dot(row, units) +
          (biases[k] ?? 0) +
          (k === 0 ? t * (along === "bias" ? 1 : (units[0] ?? 0)) : 0),
      );
      const top = Math.max(...logits);
      const total = logits.reduce((all, logit) => all + Math.exp(logit - top), 0);
      return sum + (top + Math.log(total) - (logits[labels[n] ?? 0] ?? 0)) / samples;
    }, 0);
  const steps = Array.from({ length: 81 }, (_, i) => i / 10 - 4);
  const network = (biased: boolean, silent = false) => ({
    inner: Array.from({ length: hidden }, () => draw(inputs, silent ? 0 : 1)),
    offsets: draw(hidden, silent ? 0 : 1),
    last: Array.from({ length: outputs }, () => draw(hidden)),
    biases: biased ? draw(outputs) : [0, 0, 0],
  });
  const lines = (along: "bias" | "weight", silent: boolean) =>
    Array.from({ length: silent ? 1 : 10 }, (_, i) => {
      const params = network(along === "bias", silent);
      const base = loss(params, 0, along);
      return steps.map((t) => ({
        line: `${silent} ${i}`,
        t,
        silent,
        rise: loss(params, t, along) - base,
      }));
    }).flat();
  const panel = (column: number, title: string, label: string, rows: ReturnType<typeof lines>) => ({
    x: column * width,
    y: titleHeight,
    plot: {
      width,
      height,
      ...margins,
      x: { label },
      y: { domain: [-1.5, 3], label: null, ticks: 5, grid: true },
      marks: [
        head(title, "change of the loss f", margins),
        Plot.ruleX([0], { strokeDasharray: "2 3", strokeOpacity: 0.5 }),
        Plot.line(rows, {
          x: "t",
          y: "rise",
          z: "line",
          stroke: (row: { silent: boolean }) => (row.silent ? there : here),
          strokeWidth: 1.5,
          clip: true,
        }),
      ],
    },
  });
  return sheet({
    width: 2 * width,
    height: titleHeight + height,
    title: "The loss along one parameter of the last layer, from random parameters",
    panels: [
      panel(
        0,
        "An output bias: strictly convex everywhere",
        "change of the bias",
        lines("bias", false),
      ),
      panel(
        1,
        "A last weight, no bias: flat where units are silent (red)",
        "change of the weight",
        [...lines("weight", false), ...lines("weight", true)],
      ),
    ],
  });
}

await written("output-bias", biasFigure());
await written("hallucinated-minimizer", await minimizerFigure());
