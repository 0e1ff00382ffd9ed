/** Conversion of the limits of `attune serve` to the options of a server's parts. */
import { badValue } from "../../core/base/errors.ts";
import { defaultLimits, type EdgeLimits } from "../serve/options.ts";
import type { WorkLimits } from "../work/pool.ts";
import type { ServeLimits } from "./limits.ts";

/** Returns the limits of the app, on a machine with `machineBytes` of memory. */
export function edgeLimitsOf(limits: ServeLimits, machineBytes: number, rates: EdgeLimits["rates"]): EdgeLimits {
  const { bodyBytes, linesBytes, bodySeconds, inputs, sessions, batchTokens, places, values, steps, resultBytes } =
    limits;
  return {
    bodyBytes,
    linesBytes,
    bodySeconds,
    inputs,
    sessions,
    batchTokens,
    places,
    computeSeconds: limits.workSeconds,
    values,
    steps,
    resultBytes,
    mergeBytes: limits.mergeMemory,
    tokenizerBytes: limits.tokenizerMemory,
    modelBytes: limits.modelMemory || machineBytes / 2,
    adapterBytes: limits.adapterMemory,
    rates,
  };
}

/** Returns the limits of the threads that compute. */
export function workLimitsOf(limits: ServeLimits): WorkLimits {
  const { workThreads, workSeconds, planSeconds, workMemory, waiting, waitingBytes } = limits;
  return {
    computeThreads: workThreads,
    seconds: workSeconds,
    longSeconds: planSeconds,
    memoryBytes: workMemory,
    waiting,
    waitingBytes,
  };
}

/** Parses rates, `class=perSecond/burst`; classes not named keep their defaults. Throws AttuneError if one is wrong. */
export function ratesOf(settings: readonly string[]): EdgeLimits["rates"] {
  const rates = { ...defaultLimits.rates };
  for (const text of settings) {
    const [, name = "", perSecond, burst] = /^([a-z]+)=(\d+(?:\.\d+)?)\/(\d+)$/.exec(text) ?? [];
    if (!Object.hasOwn(rates, name) || Number(perSecond) <= 0 || Number(burst) < 1) {
      throw badValue("serve", "--rate", text, `class=perSecond/burst with a class of ${Object.keys(rates).join(", ")}`);
    }
    rates[name as keyof typeof rates] = { perSecond: Number(perSecond), burst: Number(burst) };
  }
  return rates;
}
