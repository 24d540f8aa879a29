/** Typed planes: the problem of any f(x₁, x₂) that a person writes down. */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { fromList, optional, shownAs } from "../../settings/fields.ts";
import { problemEntry } from "../entry.ts";
import type { CriticalSet, Plane, Point } from "../problem.ts";
import { findCritical } from "./critical.ts";
import {
  canonicalText,
  jetOf,
  parseExpression,
  traceExpression,
  usesVariables,
  type Expression,
} from "./expression.ts";
import { planeProblem, type PlaneOptions, type PlaneProblem } from "./plane.ts";

/** What a typed plane can be made with. */
export interface ExpressionOptions extends PlaneOptions {
  /** Region worth drawing, [[x₁ min, x₁ max], [x₂ min, x₂ max]]; default −2 to 2 both ways. */
  readonly domain?: Plane["domain"] | undefined;
}

/** The expression of the entry's default: two valleys, a saddle between them. */
const example = "(x1^2-1)^2+x2^2";
const exampleRange = [-2, 2, -2, 2] as const;

/**
 * The plane of a typed expression: its loss is traced from it, its closed forms are derivatives of
 * the same tree in plain numbers, and its critical points are searched for when they are first
 * asked for. Its least value is not known.
 *
 * Default start: 3/10 of the domain from the left, 6/10 from below.
 *
 * @throws {InputError} where the expression cannot be read, uses neither variable, or is not finite
 *   at the start.
 * @example
 * const { plane } = expression("sin(x1) * x2^2", { domain: [[-3, 3], [-2, 2]] });
 */
export function expression(
  f: string | Expression,
  { domain = domainOf(exampleRange), dtype, start }: ExpressionOptions = {},
): PlaneProblem {
  const tree = typeof f === "string" ? parseExpression(f) : f;
  const [[left, right], [bottom, top]] = domain;
  const between = (low: number, high: number, part: number) =>
    Number((low + part * (high - low)).toPrecision(12));
  const own: Point = [between(left, right, 0.3), between(bottom, top, 0.6)];
  const at = start ?? own;
  const { value, d } = jetOf(tree, at);
  const text = typeof f === "string" ? canonicalText(f) : "the expression";
  if (!usesVariables(tree)) {
    throw new InputError(`invalid f: ${text} (use x1, x2 or both)`);
  }
  if (![value, ...d].every(Number.isFinite)) {
    throw new InputError(
      `invalid f: ${text} is ${value}, its slope ${d.join(", ")}, at the start ${at.join(", ")} (give a start where both are finite)`,
    );
  }
  let critical: readonly CriticalSet[] | undefined;
  const closed = {
    value: (x: Point) => jetOf(tree, x).value,
    gradient: (x: Point) => jetOf(tree, x).d,
    hessian(x: Point): readonly [Point, Point] {
      const [a, b, c] = jetOf(tree, x).dd;
      return [
        [a, b],
        [b, c],
      ];
    },
    domain,
    start: own,
  };
  const plane: Plane = {
    ...closed,
    get critical() {
      critical ??= findCritical(closed);
      return critical;
    },
  };
  return planeProblem(
    { name: "expression", plane, loss: (x1, x2) => traceExpression(tree, x1, x2) },
    { dtype, start: at },
  );
}

function domainOf([left, right, bottom, top]: readonly [number, number, number, number]) {
  return [
    [left, right],
    [bottom, top],
  ] as const;
}

const four = "give four numbers, x1 from and to, x2 from and to, such as -3,3,-2,2";
const pair = "give two numbers, such as 2,0.5";
const finite = (error: string) => z.number({ error });

/** Any expression, by name and text: `--problem expression --f "sin(x1)*x2^2"`. */
export const expressionEntry = problemEntry({
  name: "expression",
  kind: "plane",
  title: "Any function of two variables, typed as its formula.",
  options: z.object({
    start: shownAs(
      "x,y",
      optional(
        z
          .preprocess(fromList, z.tuple([finite(pair), finite(pair)], pair))
          .default((): [number, number] => [0, 0])
          .describe("where a run on a plane begins; default: the plane's own start"),
      ),
    ),
    f: shownAs(
      "text",
      z
        .string({ error: "give an expression such as sin(x1)*x2^2" })
        .transform((text) => {
          parseExpression(text);
          return canonicalText(text);
        })
        .default(example)
        .describe(
          "of the plane expression: the loss, in x1 and x2 (or x and y), + - * / % ^, comparisons, c ? a : b, pi, e, and functions such as sin, exp, log, sqrt, abs, min",
        ),
    ),
    range: shownAs(
      "list",
      z
        .preprocess(
          fromList,
          z
            .tuple([finite(four), finite(four), finite(four), finite(four)], four)
            .refine(([left, right, bottom, top]) => left < right && bottom < top, { error: four }),
        )
        .default((): [number, number, number, number] => [...exampleRange])
        .describe(
          "of the plane expression: the region to draw and to search, x1 from and to, x2 from and to",
        ),
    ),
  }),
  data: "none",
  defaults: { lr: 0.1, steps: 1000, dtype: "float64" },
  describe: ({ f, start }) => `${f}${start ? ` from (${start.join(", ")})` : ""}`,
  create: ({ f, range, start, dtype }) => expression(f, { domain: domainOf(range), start, dtype }),
});
