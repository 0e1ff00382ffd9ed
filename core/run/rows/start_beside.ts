/** Encoding beside a run's training steps, with the run's own parts in a thread of its host. */
import { isJson } from "../../data/cached.ts";
import { reference } from "../../spec/to_spec.ts";
import { besideThread, type EncodingBeside, LIMITS } from "./beside.ts";
import type { EncoderFacts } from "./encoding.ts";
import type { OpenRun } from "../open/open_run.ts";

/** Encoding beside the steps of a run; undefined if its host has no threads, or a part of it cannot go to one. */
export function createBeside(open: OpenRun, facts: EncoderFacts): EncodingBeside | undefined {
  const { host, run, collator, tokenizer } = open;
  if (!host.startEncoder || !isJson(facts.context.reading ?? null)) return undefined;
  return besideThread(async () => {
    const parts = { model: reference(run.model), tokenizer: reference(run.tokenizer), collator: reference(collator) };
    const thread = await host.startEncoder?.({ ...parts, plugins: run.spec.plugins ?? [], facts });
    if (!thread || thread.tokenizer === tokenizer.fingerprint) return thread;
    await thread.close();
    return undefined;
  }, LIMITS);
}
