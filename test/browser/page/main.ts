/** A page that trains with the main entry point, as anybody's would, and says how it went. */
import {
  adamW,
  compile,
  digits,
  imageSplits,
  mapTrees,
  mlp,
  prepareTraining,
  sam,
  tensor,
} from "lucid-sam";
import { recognize } from "lucid-sam/read";

/** Three steps x ← x/2 in float64. */
async function halve(engine: "auto" | "native"): Promise<number[]> {
  const x = tensor([1, -3], [2], "float64");
  const program = await compile(
    {
      step: (carry) => ({ carry: mapTrees((leaf) => leaf.mul(0.5), carry), record: {} }),
      carry: x,
      inputs: {},
      knobs: {},
    },
    { engine, onFallback: () => {} },
  );
  const { carry } = await program.run({ carry: x, inputs: {}, knobs: {}, steps: 3 });
  await program.dispose();
  return [...(carry as typeof x).data];
}

/** What lies below `stored/`, in words and numbers. */
async function readStored(): Promise<object[]> {
  const fetched = (path: string) => fetch(`stored/${path}`);
  const found = await recognize({
    paths: (await (await fetched("list.json")).json()) as string[],
    read: async (path) => new Uint8Array(await (await fetched(path)).arrayBuffer()),
  });
  return Promise.all(
    found.map(async (thing) => {
      const { kind, path } = thing;
      if (thing.kind === "unknown") return { kind, path };
      try {
        if (thing.kind === "study") {
          const rows = [];
          for await (const row of (await thing.read()).rows()) rows.push(row.cell);
          return { kind, path, rows };
        }
        return { kind, path, content: thing.kind === "run" && (await thing.read()) };
      } catch (error) {
        return { kind, path, refused: String(error) };
      }
    }),
  );
}

async function train(): Promise<object> {
  const notes: string[] = [];
  const losses: number[] = [];
  const { train: rows, test } = imageSplits(digits({ train: 60 }));
  const training = await prepareTraining({
    problem: mlp({ train: rows, test, hidden: [8] }),
    method: sam({ rho: 0.05, outer: adamW({ learningRate: 0.02 }) }),
    onFallback: (reason) => notes.push(reason),
  });
  await training.run({ steps: 30, onRecords: ({ loss }) => void losses.push(...loss) });
  const { engine, device } = training.program;
  await training.dispose();
  return {
    engine,
    device,
    notes,
    losses,
    halved: await halve("auto"),
    refused: await halve("native").catch(String),
    isolated: crossOriginIsolated,
    stored: await readStored(),
  };
}

document.body.textContent = JSON.stringify(
  await train().catch((error: unknown) => ({ error: String(error) })),
);
