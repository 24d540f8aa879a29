import { expect, test } from "vitest";
import * as family from "../../src/sam/index.ts";
import type { Method } from "../../src/sam/contract/method.ts";
import { createMethod, methods } from "../../src/sam/registry.ts";
import { batchNorm } from "./layers.ts";
import { run } from "./run.ts";

const outer = family.sgd({ learningRate: 0.05, momentum: 0.9 });
const plain = family.gradientDescent({ outer });
const inner = family.sam({ outer });

/** Every method as its function makes it without further options. */
const functions: { readonly [name: string]: Method } = {
  gd: plain,
  sam: inner,
  usam: family.usam({ outer }),
  "exact-sam": family.exactSam({ outer }),
  "m-sam": family.mSam({ outer }),
  asam: family.asam({ outer }),
  "fisher-sam": family.fisherSam({ outer }),
  "f-sam": family.friendlySam({ outer }),
  vasso: family.vasso({ outer }),
  "sam-on": family.samOn({ outer }),
  awp: family.awp({ outer }),
  amp: family.amp({ outer }),
  "sparse-sam": family.sparseSam({ outer }),
  "multistep-sam": family.multiStepSam({ outer }),
  lookbehind: family.lookbehind({ outer }),
  gsam: family.gsam({ outer }),
  looksam: family.lookSam({ outer }),
  "ae-sam": family.aeSam({ outer }),
  switching: family.switching({ from: plain, to: inner }),
  "late-phase-sam": family.switching({ from: plain, to: inner, at: 0.9375 }),
  "decaying-sam": family.sam({ rho: family.power({ initial: 0.05 }), outer }),
  esam: family.esam({ outer }),
  sampa: family.sampa({ outer }),
  bsam: family.bsam({ outer }),
  saf: family.saf({ outer }),
  mesa: family.mesa({ outer }),
  "entropy-sgd": family.entropySgd({ outer }),
  "auto-switching": family.switching({ to: inner, when: {} }),
  guarded: family.guarded({ method: inner }),
};

test.each(methods.map(({ name }) => name))(
  "%s: function and list have one default",
  async (name) => {
    const from = { problem: batchNorm(), steps: 17, engine: "native" } as const;
    const made = functions[name];
    if (made === undefined) throw new Error(`missing ${name}: name its function here`);
    const [a, b] = [
      await run({ ...from, method: made }),
      await run({ ...from, method: createMethod(name, {}, outer) }),
    ];
    expect(a.points).toEqual(b.points);
    expect(a.state).toEqual(b.state);
  },
);
