/** `training.fp16` and `training.bf16`: Hugging Face's switches for the accelerators "fp16" and "bf16". */
import { AttuneError, badValue } from "../base/errors.ts";
import { resolvePart, type Resolver } from "./resolve_part.ts";
import type { Json, Named, Plugin, TrainingArguments } from "../types.ts";

const names = ["fp16", "bf16"] as const;

/** Appends the accelerator that training arguments ask for to those of a spec. Errors are added to the issues. */
export function withHalfPrecision(
  accelerators: readonly Plugin[],
  training: Pick<TrainingArguments, "fp16" | "bf16">,
  resolver: Resolver,
): readonly Plugin[] {
  const { issues } = resolver;
  const there = names.filter((name) => accelerators.some((a) => a.name === name));
  const flags = names.filter((name) => training[name]);
  if (there.length > 1) issues.push(badValue("spec", "accelerators", there, 'one of "fp16" and "bf16"'));
  if (flags.length > 1) issues.push(badValue("spec", "training.bf16", true, "false, where training.fp16 is true"));
  const [name] = flags;
  if (!name || flags.length > 1) return accelerators;
  if (there.length > 0) {
    const message =
      `training.${name}: true means the accelerator "${name}", but accelerators already has "${there[0]}": ` +
      "name it in one place";
    issues.push(new AttuneError(message, { code: "BAD_VALUE", plugin: "spec", path: `training.${name}`, found: true }));
    return accelerators;
  }
  const part = resolvePart("accelerator", name, `training.${name}`, resolver);
  return part ? [...accelerators, part as unknown as Plugin] : accelerators;
}

/** Returns a spec of only the accelerators that a spec's training arguments ask for. */
export function halfPrecisionOf({ training }: Readonly<{ training?: unknown }>): Named<Json> {
  const values = (typeof training === "object" && training !== null ? training : {}) as Named<Json>;
  return { accelerators: names.filter((name) => values[name] === true) };
}

/** Returns training arguments without `fp16` and `bf16`, for specs that list the accelerators instead. */
export function withoutHalfPrecision(training: TrainingArguments): Omit<TrainingArguments, "fp16" | "bf16"> {
  const { fp16: _fp16, bf16: _bf16, ...others } = training;
  return others;
}
