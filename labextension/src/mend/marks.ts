/* Which outputs of a notebook are panels of runs. Pure. */

const VIEW = "application/vnd.jupyter.widget-view+json";

/** An output as a notebook keeps it; of others, only that they are there. */
export interface Output {
  output_type: string;
  data?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

/** The panel of a run among the outputs of a cell. */
export interface Mark {
  readonly run: string;
  /** Where the kernel that made it keeps its runs; "" where that is not told. */
  readonly store: string;
  readonly host: string;
  /** Its place among the outputs. */
  readonly index: number;
  /** Whether it is as it stays: it shows the end. */
  readonly frozen: boolean;
}

export function marks(outputs: readonly Output[]): Mark[] {
  return outputs.flatMap((output, index) => {
    const told = output.metadata?.["jobq"] as { run?: unknown; store?: unknown; host?: unknown } | undefined;
    if (typeof told?.run !== "string" || !/^[a-z0-9-]{1,80}$/.test(told.run)) {
      return []; // a notebook from anywhere may say anything
    }
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const frozen = !(VIEW in (output.data ?? {})) && text(told.store) === "";
    return [{ run: told.run, store: text(told.store), host: text(told.host), index, frozen }];
  });
}

/** What a run showed that is not below its panel: kernels show it in order, and a page that was away misses the end. */
export function missing<T>(outputs: readonly Output[], mark: Mark, shown: readonly T[]): readonly T[] {
  let there = 0;
  for (const output of outputs.slice(mark.index + 1)) {
    if (output.metadata?.["jobq"] || output.output_type === "stream") {
      break;
    }
    there++;
  }
  return shown.slice(there);
}
