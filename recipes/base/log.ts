/** A training log that is short enough to keep beside its script. */

/** Returns every `every`-th step of a log.jsonl and all other events, with `folder` replaced by ".". */
export function shortLog(log: string, { every, folder }: Readonly<{ every: number; folder: string }>): string {
  return log.trimEnd().replaceAll(folder, ".").split("\n").filter((line) => {
    const { type, step } = JSON.parse(line) as { type: string; step: number };
    return type !== "step" || step === 1 || step % every === 0;
  }).join("\n") + "\n";
}
