/** lucid-sam: sharpness-aware training that knows when it is hallucinating. */
import * as jax from "@jax-js/jax";
import { provideJax } from "./engine/jax-js.ts";

// Who imports the library means to train: nothing is gained by loading jax-js later.
provideJax(jax);

// jax-js, for the functions that are traced. Two copies of it do not work together: import it from here.
export { grad, jvp, lax, nn, numpy as np, random, valueAndGrad, vjp } from "@jax-js/jax";
export { compile } from "./engine/index.ts";
export type { EngineChoice, EngineOptions } from "./engine/index.ts";
export { InputError } from "./engine/errors.ts";
export type { ArrayTree, Program, StepDefinition } from "./engine/program.ts";
export {
  add,
  addTrees,
  divide,
  dot,
  leaves,
  mapTrees,
  mapWithPaths,
  mean,
  moveAlong,
  multiply,
  norm,
  scalar,
  scale,
  select,
  selectTree,
  sqrt,
  square,
  squaredNorm,
  stopGradient,
  subtract,
  subtractTrees,
  zerosLike,
} from "./engine/arrays.ts";
export { tensor } from "./engine/tensor.ts";
export type { Tensor, Tree } from "./engine/tensor.ts";

export { defineProblem } from "./problems/define.ts";
export type { Numbers, ProblemDefinition } from "./problems/define.ts";
export { dense } from "./problems/layers/dense.ts";
export type { DenseLayer } from "./problems/layers/dense.ts";
export type { Initializer } from "./problems/layers/initializer.ts";
export { parseCsv, standardized } from "./problems/table.ts";
export type { Table } from "./problems/table.ts";
export type { ProblemFile, ProblemFileContext } from "./problems/sources.ts";
export { crossEntropy, isRight } from "./problems/networks/classification.ts";
export { digits } from "./problems/datasets/digits.ts";
export { imageSplits } from "./problems/datasets/images.ts";
export { kinkAt } from "./problems/layers/kinks.ts";
export { mlp } from "./problems/networks/mlp.ts";
export { planes } from "./problems/planes/index.ts";
export type { Forward, ForwardContext, Mode, Model, Problem, Split } from "./problems/problem.ts";

export {
  adamW,
  aeSam,
  amp,
  asam,
  ascending,
  ascent,
  awp,
  bsam,
  choice,
  clipped,
  cosine,
  createMethod,
  defineMethod,
  defineWrapper,
  descend,
  entropySgd,
  esam,
  evidenceOf,
  exactSam,
  findMethod,
  fisherSam,
  flag,
  friendlySam,
  gradientDescent,
  groups,
  gsam,
  guarded,
  linear,
  lookAhead,
  lookSam,
  lookbehind,
  mSam,
  mesa,
  method,
  methodKeys,
  methods,
  modelOf,
  multiStepSam,
  normalized,
  normalsLike,
  number,
  ofLength,
  outer,
  parseSchedule,
  plainEvidence,
  power,
  prepareEvaluation,
  quotient,
  roles,
  saf,
  sam,
  samOn,
  sampa,
  schedule,
  sgd,
  sparseSam,
  stepwise,
  switching,
  uniformLike,
  usam,
  warmup,
  vasso,
  zerosAs,
} from "./sam/index.ts";
export type {
  Ascent,
  AscentContext,
  Evaluation,
  EvaluationResult,
  Evidence,
  Followed,
  Knobs,
  KnobValues,
  Method,
  MethodDefinition,
  MethodEntry,
  Objective,
  OnHost,
  Outer,
  OuterOptions,
  Pass,
  Records,
  SamOptions,
  Schedule,
  Seen,
  Settings,
  Stateless,
  StepContext,
  StepResult,
  TrainingState,
} from "./sam/index.ts";

export { loadState, prepareTraining, saveState } from "./run/training.ts";
export type {
  RunTrainingOptions,
  ScoredModel,
  Training,
  TrainingOptions,
  TrainingRun,
} from "./run/training.ts";
export type { Checkpoint } from "./run/checkpoint.ts";
export type { MetricRow } from "./run/history.ts";

export { createScreen } from "./diagnostics/screen/screen.ts";
export type { Screen, Warning } from "./diagnostics/screen/screen.ts";
export { isHallucinated, verdicts } from "./diagnostics/verdict.ts";
export type { Verdict, VerdictName } from "./diagnostics/verdict.ts";
export { bestOf, type Scores } from "./run/scores.ts";
