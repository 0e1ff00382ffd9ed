/** Starts encoding in a thread of a run's host, with the run's own model, tokenizer and collator. */
import { isJson } from "../../data/cached.ts";
import { reference } from "../../spec/to_spec.ts";
import { besideThread, type EncodingBeside, LIMITS } from "./beside.ts";
import type { EncoderFacts } from "./encoding.ts";
import type { OpenRun } from "../open/open_run.ts";

/** Creates the encoding thread of a run; undefined if its host has no threads, or a part cannot be sent to one. */
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
