/**
 * The oracle of methods: every method of the SAM family once more, in plain float64 loops over one
 * flat vector, written from the papers' formulas. Shares no code with src.
 */

export type Vector = readonly number[];

const zip = (a: Vector, b: Vector, f: (x: number, y: number) => number): number[] =>
  a.map((x, i) => f(x, b[i] ?? NaN));
const plus = (a: Vector, b: Vector) => zip(a, b, (x, y) => x + y);
const minus = (a: Vector, b: Vector) => zip(a, b, (x, y) => x - y);
const times = (c: number, a: Vector) => a.map((x) => c * x);
const dot = (a: Vector, b: Vector) => zip(a, b, (x, y) => x * y).reduce((s, p) => s + p, 0);
const length = (a: Vector) => Math.sqrt(dot(a, a));
/** c/‖b‖ · a, or zero where b vanishes. */
const unit = (c: number, a: Vector, b: Vector = a) =>
  length(b) === 0 ? a.map(() => 0) : times(c / length(b), a);

/** A one-hidden-layer tanh network: gradients for any derivative with respect to its logits. */
export class PlainNet {
  readonly inputs: readonly Vector[];
  readonly labels: readonly number[];
  readonly hidden: number;
  readonly classes: number;

  constructor(
    inputs: readonly Vector[],
    labels: readonly number[],
    hidden: number,
    classes: number,
  ) {
    this.inputs = inputs;
    this.labels = labels;
    this.hidden = hidden;
    this.classes = classes;
  }

  get features(): number {
    return this.inputs[0]?.length ?? 0;
  }

  /** Tensors in the order of the flat vector: where they begin and end, and whether they are biases. */
  get tensors(): { readonly from: number; readonly to: number; readonly bias: boolean }[] {
    const { hidden, classes, features } = this;
    let end = 0;
    return [hidden, hidden * features, classes, classes * hidden].map((size, i) => {
      const from = end;
      end += size;
      return { from, to: end, bias: i % 2 === 0 };
    });
  }

  private pass(x: Vector, row: number) {
    const { hidden, classes, features } = this;
    const [w0, b1, w1] = [hidden, hidden + hidden * features, hidden + hidden * features + classes];
    const input = this.inputs[row] ?? [];
    const at = (i: number) => x[i] ?? NaN;
    const h = Array.from({ length: hidden }, (_, j) => {
      let sum = at(j);
      for (let i = 0; i < features; i++) sum += at(w0 + j * features + i) * (input[i] ?? NaN);
      return Math.tanh(sum);
    });
    const logits = Array.from({ length: classes }, (_, k) => {
      let sum = at(b1 + k);
      for (let j = 0; j < hidden; j++) sum += at(w1 + k * hidden + j) * (h[j] ?? NaN);
      return sum;
    });
    return { input, h, logits, w0, b1, w1 };
  }

  logits(x: Vector, row: number): number[] {
    return this.pass(x, row).logits;
  }

  loss(x: Vector, row: number): number {
    return -Math.log(softmax(this.logits(x, row))[this.labels[row] ?? NaN] ?? NaN);
  }

  /** Gradient of the mean over `rows` of a loss with the given derivative in the logits. */
  gradient(
    x: Vector,
    rows: Vector,
    slope = (logits: Vector, row: number) => this.crossEntropySlope(logits, row),
  ): number[] {
    const { hidden, classes, features } = this;
    const total = x.map(() => 0);
    for (const row of rows) {
      const { input, h, logits, w0, b1, w1 } = this.pass(x, row);
      const error = slope(logits, row);
      const add = (i: number, value: number) => {
        total[i] = (total[i] ?? NaN) + value / rows.length;
      };
      for (let k = 0; k < classes; k++) {
        add(b1 + k, error[k] ?? NaN);
        for (let j = 0; j < hidden; j++) {
          add(w1 + k * hidden + j, (error[k] ?? NaN) * (h[j] ?? NaN));
        }
      }
      for (let j = 0; j < hidden; j++) {
        let back = 0;
        for (let k = 0; k < classes; k++)
          back += (error[k] ?? NaN) * (x[w1 + k * hidden + j] ?? NaN);
        back *= 1 - (h[j] ?? NaN) ** 2;
        add(j, back);
        for (let i = 0; i < features; i++) add(w0 + j * features + i, back * (input[i] ?? NaN));
      }
    }
    return total;
  }

  crossEntropySlope(logits: Vector, row: number): number[] {
    return softmax(logits).map((p, k) => p - (k === this.labels[row] ? 1 : 0));
  }
}

export function softmax(z: Vector): number[] {
  const largest = Math.max(...z);
  const e = z.map((v) => Math.exp(v - largest));
  const sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}

/** SGD with momentum and coupled weight decay, as PyTorch defines it. */
export class PlainSgd {
  readonly rate: number;
  readonly momentum: number;
  readonly decay: number;
  buffer: number[] | undefined;

  constructor(rate: number, momentum: number, decay: number) {
    this.rate = rate;
    this.momentum = momentum;
    this.decay = decay;
  }

  private velocity(x: Vector, v: Vector): number[] {
    const d = plus(v, times(this.decay, x));
    return this.buffer ? plus(times(this.momentum, this.buffer), d) : d;
  }

  /** Where a step would lead. */
  peek(x: Vector, v: Vector): number[] {
    return minus(x, times(this.rate, this.velocity(x, v)));
  }

  step(x: Vector, v: Vector): number[] {
    const next = this.peek(x, v);
    this.buffer = this.velocity(x, v);
    return next;
  }
}

/** What random methods draw in a step, given from outside. */
export interface Draws {
  /** Row `row` of the `rows` of normal numbers drawn with the step's key number `key`. */
  normal(t: number, key: number, row: number, rows: number): number[];
  /** Sample indices drawn with the step's key number `key`. */
  rows(t: number, key: number, count: number): number[];
  /** Whether each tensor is kept, for ESAM's mask. */
  keep(t: number, chance: number): boolean[];
}

/** A run that a method takes part in. */
export interface World {
  readonly net: PlainNet;
  readonly sgd: PlainSgd;
  readonly steps: number;
  readonly samples: number;
  readonly draws: Draws;
}

/** One step from x in step t on the batch of the given rows. */
type Step = (x: Vector, t: number, rows: Vector) => number[];
type Options = { readonly [name: string]: number | string | boolean };

const num = (options: Options, name: string) => options[name] as number;

/** ε from the gradient, for methods that are SAM but for that. */
type Look = (g: Vector, x: Vector, t: number, rows: Vector) => number[];

const twoPasses =
  (world: World, look: Look): Step =>
  (x, t, rows) => {
    const g = world.net.gradient(x, rows);
    return world.sgd.step(x, world.net.gradient(plus(x, look(g, x, t, rows)), rows));
  };

const perTensor = (net: PlainNet, f: (from: number, to: number, bias: boolean) => number[]) =>
  net.tensors.flatMap(({ from, to, bias }) => f(from, to, bias));

export const oracles: { readonly [method: string]: (world: World, options: Options) => Step } = {
  gd: (w) => (x, _, rows) => w.sgd.step(x, w.net.gradient(x, rows)),

  sam: (w, o) => twoPasses(w, (g) => unit(num(o, "rho"), g)),

  usam: (w, o) =>
    twoPasses(w, (g) => times(num(o, "rho") * (o["ball"] ? Math.min(1, 1 / length(g)) : 1), g)),

  "exact-sam": (w, o) => (x, _, rows) => {
    const rho = num(o, "rho");
    const g = w.net.gradient(x, rows);
    const u = unit(1, g);
    const p = w.net.gradient(plus(x, times(rho, u)), rows);
    const across = minus(p, times(dot(p, u), u));
    // H·across by central differences, twice extrapolated.
    const difference = (h: number) =>
      times(
        1 / (2 * h),
        minus(
          w.net.gradient(plus(x, times(h, across)), rows),
          w.net.gradient(minus(x, times(h, across)), rows),
        ),
      );
    const [a, b, c] = [difference(8e-3), difference(4e-3), difference(2e-3)];
    const [d, e] = [plus(b, times(1 / 3, minus(b, a))), plus(c, times(1 / 3, minus(c, b)))];
    const product = plus(e, times(1 / 15, minus(e, d)));
    return w.sgd.step(x, plus(p, times(rho / length(g), product)));
  },

  "m-sam": (w, o) => (x, _, rows) => {
    const pieces = num(o, "chunks");
    let v = x.map(() => 0);
    for (let k = 0; k < pieces; k++) {
      const piece = rows.slice(
        Math.floor((k * rows.length) / pieces),
        Math.floor(((k + 1) * rows.length) / pieces),
      );
      const point = plus(x, unit(num(o, "rho"), w.net.gradient(x, piece)));
      v = plus(v, times(piece.length / rows.length, w.net.gradient(point, piece)));
    }
    return w.sgd.step(x, v);
  },

  asam: (w, o) =>
    twoPasses(w, (g, x) => {
      const t = perTensor(w.net, (from, to, bias) =>
        x.slice(from, to).map((v) => (bias && !o["biases"] ? 1 : Math.abs(v) + num(o, "eta"))),
      );
      const tg = zip(t, g, (a, b) => a * b);
      return unit(
        num(o, "rho"),
        zip(t, tg, (a, b) => a * b),
        tg,
      );
    }),

  "fisher-sam": (w, o) =>
    twoPasses(w, (g) => {
      const pg = g.map((v) => v / (1 + num(o, "eta") * v * v));
      return times(num(o, "rho") / Math.sqrt(dot(g, pg)), pg);
    }),

  "f-sam": (w, o) => {
    let m: Vector | undefined;
    return twoPasses(w, (g) => {
      if (!m) {
        m = g;
        return unit(num(o, "rho"), g);
      }
      const next = plus(times(num(o, "lambda"), m), times(1 - num(o, "lambda"), g));
      const out = o["average"] === "current" ? next : m;
      m = next;
      return unit(num(o, "rho"), minus(g, times(num(o, "sigma"), out)));
    });
  },

  vasso: (w, o) => {
    let d: Vector | undefined;
    return twoPasses(w, (g) => {
      d = d ? plus(times(1 - num(o, "theta"), d), times(num(o, "theta"), g)) : g;
      return unit(num(o, "rho"), d);
    });
  },

  "sam-on": (w, o) =>
    twoPasses(w, (g) => {
      const chosen = perTensor(w.net, (from, to, bias) =>
        g.slice(from, to).map((v) => (bias ? v : 0)),
      );
      return unit(num(o, "rho"), chosen);
    }),

  awp: (w, o) =>
    twoPasses(w, (g, x) =>
      perTensor(w.net, (from, to, bias) =>
        bias
          ? x.slice(from, to).map(() => 0)
          : unit(num(o, "rho") * length(x.slice(from, to)), g.slice(from, to)),
      ),
    ),

  amp: (w, o) =>
    twoPasses(w, (_, x, __, rows) => {
      let delta = x.map(() => 0);
      for (let i = 0; i < num(o, "steps"); i++) {
        delta = plus(delta, times(num(o, "rate"), w.net.gradient(plus(x, delta), rows)));
        delta = perTensor(w.net, (from, to) => {
          const part = delta.slice(from, to);
          return times(Math.min(1, num(o, "rho") / length(part)), part);
        });
      }
      return delta;
    }),

  "multistep-sam": (w, o) =>
    twoPasses(w, (_, x, __, rows) => {
      let delta = x.map(() => 0);
      const n = num(o, "steps");
      const stride = o["project"] ? num(o, "rho") : num(o, "rho") / n;
      for (let i = 0; i < n; i++) {
        delta = plus(delta, unit(stride, w.net.gradient(plus(x, delta), rows)));
        if (o["project"] && length(delta) > num(o, "rho")) delta = unit(num(o, "rho"), delta);
      }
      return delta;
    }),

  lookbehind: (w, o) => (x, _, rows) => {
    let [slow, fast]: [Vector, Vector] = [x, x];
    let first: Vector | undefined;
    for (let i = 0; i < num(o, "steps"); i++) {
      slow = plus(slow, unit(num(o, "rho"), w.net.gradient(slow, rows)));
      fast = w.sgd.step(fast, w.net.gradient(slow, rows));
      first ??= fast;
    }
    const [a, b] = [minus(first ?? x, x), minus(fast, x)];
    if (!o["adaptive"]) return plus(x, times(num(o, "alpha"), b));
    return perTensor(w.net, (from, to) => {
      const [p, q] = [a.slice(from, to), b.slice(from, to)];
      const alpha = (dot(p, q) / (length(p) * length(q)) + 1) / 2;
      return plus(x.slice(from, to), times(alpha, q));
    });
  },

  gsam: (w, o) => (x, _, rows) => {
    const g = w.net.gradient(x, rows);
    const p = w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows);
    const alpha = num(o, "alpha");
    if (o["minimize"] === "plain") {
      const u = unit(1, g);
      return w.sgd.step(x, plus(g, times(alpha, minus(p, times(dot(p, u), u)))));
    }
    const across = minus(g, times(dot(g, p) / dot(p, p), p));
    return w.sgd.step(x, minus(p, times(alpha, across)));
  },

  looksam: (w, o) => {
    let r: Vector = [];
    return (x, t, rows) => {
      const g = w.net.gradient(x, rows);
      const parts: [number, number][] = o["perTensor"]
        ? w.net.tensors.map(({ from, to }) => [from, to])
        : [[0, x.length]];
      if (t % num(o, "every") === 0) {
        const s = w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows);
        r = parts.flatMap(([from, to]) => {
          const [a, u] = [s.slice(from, to), unit(1, g.slice(from, to))];
          return minus(a, times(dot(a, u), u));
        });
        return w.sgd.step(x, s);
      }
      const v = parts.flatMap(([from, to]) => {
        const [a, b] = [g.slice(from, to), r.slice(from, to)];
        return plus(a, times((num(o, "alpha") * length(a)) / length(b), b));
      });
      return w.sgd.step(x, v);
    };
  },

  "ae-sam": (w, o) => {
    let [mean, variance] = [0, num(o, "initialVariance")];
    const delta = num(o, "delta");
    return (x, t, rows) => {
      const g = w.net.gradient(x, rows);
      const q = dot(g, g);
      mean = delta * mean + (1 - delta) * q;
      variance = delta * variance + (1 - delta) * (q - mean) ** 2;
      const share = t / w.steps;
      const c = share * num(o, "lambda1") + (1 - share) * num(o, "lambda2");
      const fires = q >= mean + c * Math.sqrt(variance);
      return w.sgd.step(x, fires ? w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows) : g);
    };
  },

  switching: (w, o) => (x, t, rows) => {
    const g = w.net.gradient(x, rows);
    const on = t >= num(o, "at") * w.steps && t < num(o, "until") * w.steps;
    return w.sgd.step(x, on ? w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows) : g);
  },

  "late-phase-sam": (w, o) => (x, t, rows) => {
    const g = w.net.gradient(x, rows);
    const on = t >= num(o, "at") * w.steps;
    return w.sgd.step(x, on ? w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows) : g);
  },

  "decaying-sam": (w, o) =>
    twoPasses(w, (g, _, t) => unit(num(o, "rho") / (t + 1) ** num(o, "decay"), g)),

  esam: (w, o) => (x, t, rows) => {
    const g = w.net.gradient(x, rows);
    const [beta, gamma] = [num(o, "beta"), num(o, "gamma")];
    const kept = beta === 1 ? undefined : w.draws.keep(t, beta);
    let i = 0;
    const masked = perTensor(w.net, (from, to) => {
      const keeps = kept?.[i++] ?? true;
      return g.slice(from, to).map((v) => (keeps ? v : 0));
    });
    const point = plus(x, unit(num(o, "rho") / beta, masked));
    const rise = rows.map((row) => ({ row, by: w.net.loss(point, row) - w.net.loss(x, row) }));
    const chosen = rise
      .toSorted((a, b) => b.by - a.by)
      .slice(0, Math.ceil(gamma * rows.length))
      .map(({ row }) => row);
    return w.sgd.step(x, w.net.gradient(point, chosen));
  },

  sampa: (w, o) => {
    let h: Vector | undefined;
    let before: Vector = [];
    return (x, _, rows) => {
      if (!h) [h, before] = [w.net.gradient(x, rows), rows];
      const point = plus(x, unit(num(o, "rho"), h));
      const y = w.sgd.peek(x, h);
      const lambda = num(o, "lambda");
      const at = w.net.gradient(point, before);
      h = w.net.gradient(y, rows);
      before = rows;
      return w.sgd.step(x, plus(times(1 - lambda, at), times(lambda, h)));
    };
  },

  "sparse-sam": (w, o) => {
    let mask: number[] = [];
    return twoPasses(w, (g, x, t) => {
      if (t % num(o, "every") === 0) {
        let scores = x.map(() => 0);
        if (o["mask"] === "fisher") {
          for (const row of w.draws.rows(t, 0, num(o, "samples"))) {
            scores = plus(
              scores,
              w.net.gradient(x, [row]).map((v) => v * v),
            );
          }
        } else {
          scores = g.map((v) => v * v);
        }
        const count = Math.round((1 - num(o, "sparsity")) * x.length);
        const bound = scores.toSorted((a, b) => b - a)[count - 1] ?? NaN;
        mask = scores.map((s) => (s >= bound ? 1 : 0));
      }
      return zip(mask, unit(num(o, "rho"), g), (m, e) => m * e);
    });
  },

  bsam: (w, o) => {
    let s: Vector | undefined;
    let m: Vector = [];
    return (x, t, rows) => {
      s ??= x.map(() => 1);
      if (m.length === 0) m = x.map(() => 0);
      const old = s;
      const size = w.samples * num(o, "dataFactor");
      const prior = num(o, "priorPrecision") / size;
      const noise = o["noise"] ? w.draws.normal(t, 0, 0, 1) : x.map(() => 0);
      const theta = x.map((v, i) => v + (noise[i] ?? NaN) / Math.sqrt(size * (old[i] ?? NaN)));
      const g = w.net.gradient(theta, rows);
      const e = zip(g, old, (a, b) => (num(o, "rho") * a) / b);
      const shifted = w.net.gradient(plus(x, e), rows);
      m = plus(times(num(o, "b1"), m), times(1 - num(o, "b1"), plus(shifted, times(prior, x))));
      s = zip(
        old,
        g,
        (a, b) =>
          num(o, "b2") * a +
          (1 - num(o, "b2")) * (Math.sqrt(a) * Math.abs(b) + prior + num(o, "damping")),
      );
      const by = o["precision"] === "new" ? s : old;
      return w.sgd.step(
        x,
        zip(m, by, (a, b) => a / b),
      );
    };
  },

  saf: (w, o) => {
    const [lambda, tau, epochs] = [num(o, "lambda"), num(o, "tau"), num(o, "epochs")];
    const history = new Map<string, number[]>();
    return (x, t, rows) => {
      const epoch = Math.floor(t / Math.floor(w.samples / rows.length));
      const slope = (logits: Vector, row: number) => {
        const own = w.net.crossEntropySlope(logits, row);
        const past = history.get(`${epoch - epochs}/${row}`);
        if (!past || epoch <= num(o, "start")) return own;
        const p = softmax(times(1 / tau, past));
        const q = softmax(times(1 / tau, logits));
        return plus(own, times(lambda * tau, minus(q, p)));
      };
      const g = w.net.gradient(x, rows, slope);
      for (const row of rows) history.set(`${epoch}/${row}`, w.net.logits(x, row));
      return w.sgd.step(x, g);
    };
  },

  mesa: (w, o) => {
    const [lambda, tau, decay] = [num(o, "lambda"), num(o, "tau"), num(o, "decay")];
    let average: Vector | undefined;
    return (x, t, rows) => {
      average ??= x;
      const old = average;
      const epoch = Math.floor(t / Math.floor(w.samples / rows.length));
      const g = w.net.gradient(x, rows, (logits, row) => {
        const own = w.net.crossEntropySlope(logits, row);
        if (epoch <= num(o, "start")) return own;
        const p = softmax(times(1 / tau, w.net.logits(old, row)));
        const q = softmax(times(1 / tau, logits));
        return plus(own, times(lambda * tau, minus(q, p)));
      });
      const next = w.sgd.step(x, g);
      average = plus(times(decay, old), times(1 - decay, next));
      return next;
    };
  },

  "entropy-sgd": (w, o) => (x, t, rows) => {
    const gamma = num(o, "gamma") * (1 + num(o, "scoping")) ** t;
    const [rate, beta, momentum] = [num(o, "rate"), num(o, "beta"), num(o, "momentum")];
    let [walker, mean, velocity]: [Vector, Vector, Vector] = [x, x, x.map(() => 0)];
    for (let i = 0; i < num(o, "steps"); i++) {
      const isFull = rows.length === w.samples;
      const drawn = () => w.draws.rows(t, 1, rows.length * (num(o, "steps") - 1));
      const own = i === 0 || isFull ? rows : drawn().slice((i - 1) * rows.length, i * rows.length);
      let slope: Vector = w.net.gradient(walker, own);
      velocity = plus(times(momentum, velocity), slope);
      if (momentum > 0) slope = plus(slope, times(momentum, velocity));
      const pulled = minus(slope, times(gamma, minus(x, walker)));
      const noise = times(
        num(o, "noise") * Math.sqrt(2 * rate),
        w.draws.normal(t, 0, i, num(o, "steps")),
      );
      walker = plus(minus(walker, times(rate, pulled)), noise);
      mean = plus(times(beta, mean), times(1 - beta, walker));
    }
    const away = minus(x, mean);
    return w.sgd.step(x, o["direction"] === "paper" ? times(gamma, away) : away);
  },

  "auto-switching": (w, o) => watch(w, o, { off: true, act: -Infinity }),

  guarded: (w, o) =>
    o["respond"] === "shrink" ? shrink(w, o) : watch(w, o, { off: false, act: num(o, "act") }),
};

/** Running averages of cos(g, p) and ‖p‖/‖g‖, and what they say. */
class PlainWatch {
  private cosine: number | undefined;
  private ratio = 1;
  private slow = 1;
  private looks = 0;
  private readonly keep: number;

  constructor(keep: number) {
    this.keep = keep;
  }

  look(g: Vector, p: Vector): void {
    const cosine = dot(g, p) / (length(g) * length(p));
    const ratio = length(p) / length(g);
    const blend = (old: number, now: number) => this.keep * old + (1 - this.keep) * now;
    this.ratio = this.cosine === undefined ? ratio : blend(this.ratio, ratio);
    this.cosine = this.cosine === undefined ? cosine : blend(this.cosine, cosine);
    this.looks++;
    const share = Math.min(1, 1 / (0.4 * this.looks));
    this.slow = this.looks === 1 ? this.cosine : this.slow + share * (this.cosine - this.slow);
  }

  restart(): void {
    this.slow = this.cosine ?? NaN;
    this.looks = 1;
  }

  mayGrow(resume: number): boolean {
    return this.isSafe(resume) && this.ratio <= 2;
  }

  isTooFar(): boolean {
    return this.ratio > 10;
  }

  hasSettled(): boolean {
    return (this.cosine ?? NaN) - this.slow <= 0.08;
  }

  isBad(act: number): boolean {
    return (this.cosine ?? NaN) * Math.min(1, this.ratio) < act;
  }

  isSafe(resume: number): boolean {
    return (this.cosine ?? NaN) >= resume && (this.cosine ?? NaN) * this.ratio >= 0.9;
  }
}

function watch(w: World, o: Options, { off, act }: { off: boolean; act: number }): Step {
  const seen = new PlainWatch(num(o, "smoothing"));
  let age = 0;
  return (x, _, rows) => {
    const g = w.net.gradient(x, rows);
    let v: Vector = g;
    if (!off || age === 0) {
      const p = w.net.gradient(plus(x, unit(num(o, "rho"), g)), rows);
      seen.look(g, p);
      const before = off;
      off = off ? !(seen.isSafe(num(o, "resume")) && seen.hasSettled()) : seen.isBad(act);
      if (off && !before) seen.restart();
      if (!off) v = p;
    }
    age = off ? (age + 1) % num(o, "every") : 0;
    return w.sgd.step(x, v);
  };
}

function shrink(w: World, o: Options): Step {
  const seen = new PlainWatch(num(o, "smoothing"));
  let factor = 1;
  return (x, _, rows) => {
    const g = w.net.gradient(x, rows);
    const p = w.net.gradient(plus(x, unit(num(o, "rho") * factor, g)), rows);
    seen.look(g, p);
    if (seen.isBad(num(o, "act")) || seen.isTooFar()) factor *= 0.5;
    else if (seen.mayGrow(num(o, "resume"))) factor = Math.min(1, factor * 1.01);
    return w.sgd.step(x, p);
  };
}

/** Settings at which a method is followed. */
export interface Variant {
  readonly method: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How many keys the method needs per step, when it draws. */
  readonly keys?: number;
  /** Whether both kinds of steps must occur: the method's own and others. */
  readonly mixed?: boolean;
  /** Largest difference allowed; default 1e-11. */
  readonly tolerance?: number;
}

/** Settings that differ from the method's own; methods not named here are followed at theirs. */
export const variants: readonly Variant[] = [
  { method: "usam" },
  { method: "usam", settings: { rho: 2, ball: true } },
  // The oracle's Hessian comes from differences.
  { method: "exact-sam", tolerance: 1e-7 },
  { method: "m-sam", settings: { chunks: 2 } },
  { method: "m-sam", settings: { chunks: 5 } },
  { method: "asam", settings: { eta: 0.1 } },
  { method: "asam", settings: { eta: 0, biases: true } },
  { method: "fisher-sam", settings: { eta: 3 } },
  { method: "f-sam", settings: { sigma: 0.6, lambda: 0.7 } },
  { method: "f-sam", settings: { sigma: 0.6, lambda: 0.7, average: "current" } },
  { method: "vasso", settings: { theta: 0.3 } },
  { method: "sam-on", settings: { roles: "bias" } },
  { method: "amp", settings: { rate: 0.8, steps: 3 } },
  { method: "sparse-sam", settings: { mask: "fisher", every: 4, samples: 5 }, keys: 1 },
  { method: "sparse-sam", settings: { mask: "gradient", every: 3, sparsity: 0.7 } },
  { method: "multistep-sam", settings: { steps: 3 } },
  { method: "multistep-sam", settings: { steps: 3, project: false } },
  { method: "lookbehind", settings: { steps: 3, alpha: 0.4 } },
  { method: "lookbehind", settings: { steps: 2, adaptive: true } },
  { method: "gsam" },
  { method: "gsam", settings: { minimize: "plain" } },
  { method: "looksam", settings: { every: 3 } },
  { method: "looksam", settings: { every: 4, perTensor: true } },
  { method: "ae-sam", settings: { delta: 0.5 } },
  { method: "switching", settings: { at: 0.3, until: 0.7 } },
  { method: "late-phase-sam", settings: { at: 0.55 } },
  { method: "esam", settings: { gamma: 0.4 } },
  { method: "esam", settings: { beta: 0.5, gamma: 0.7 }, keys: 1 },
  { method: "sampa", settings: { lambda: 0.3 } },
  { method: "bsam", settings: { noise: false, precision: "new" } },
  // Normal numbers are drawn in float32: their logarithms and cosines differ between devices.
  { method: "bsam", settings: {}, keys: 1, tolerance: 1e-5 },
  { method: "saf", settings: { lambda: 2, tau: 2, start: 0, epochs: 1 } },
  { method: "saf", settings: { lambda: 2, tau: 2, start: 1, epochs: 2 } },
  { method: "mesa", settings: { lambda: 2, tau: 2, start: 0, decay: 0.7 } },
  {
    method: "entropy-sgd",
    settings: { steps: 3, gamma: 0.5, scoping: 0.1, noise: 0, momentum: 0.5 },
    keys: 2,
  },
  {
    method: "entropy-sgd",
    settings: { steps: 3, noise: 0.05, direction: "paper" },
    keys: 2,
    tolerance: 1e-5,
  },
  {
    method: "auto-switching",
    settings: { rho: 2.5, resume: 0.7, every: 1, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { act: 0.935, resume: 0.945, every: 2, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { rho: 2.5, act: 0.55, resume: 0.6, every: 1, smoothing: 0.1 },
    mixed: true,
  },
  {
    method: "guarded",
    settings: { act: 0.9, resume: 0.92, respond: "shrink", smoothing: 0.1 },
    mixed: true,
  },
];

/** Methods that treat a batch of all samples in a way of its own. */
export const knowsFull = new Set(["sam", "sampa", "saf", "mesa", "entropy-sgd"]);
