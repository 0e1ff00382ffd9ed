/**
 * The limits of `attune serve` as the parts of a server take them.
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import { defaultLimits, type EdgeLimits } from "../serve/options.ts";
import type { WorkLimits } from "../work/pool.ts";
import type { ServeLimits } from "./limits.ts";

/** The limits of the app, on a machine of so much memory. */
export function edgeLimitsOf(own: ServeLimits, machineBytes: number, rates: EdgeLimits["rates"]): EdgeLimits {
  const { bodyBytes, linesBytes, bodySeconds, inputs, sessions, batchTokens, places, values, steps, resultBytes } = own;
  return {
    bodyBytes,
    linesBytes,
    bodySeconds,
    inputs,
    sessions,
    batchTokens,
    places,
    computeSeconds: own.workSeconds,
    values,
    steps,
    resultBytes,
    mergeBytes: own.mergeMemory,
    tokenizerBytes: own.tokenizerMemory,
    modelBytes: own.modelMemory || machineBytes / 2,
    adapterBytes: own.adapterMemory,
    rates,
  };
}

/** The limits of the threads that compute. */
export function workLimitsOf(own: ServeLimits): WorkLimits {
  const { workThreads, workSeconds, planSeconds, workMemory, waiting, waitingBytes } = own;
  return {
    computeThreads: workThreads,
    seconds: workSeconds,
    longSeconds: planSeconds,
    memoryBytes: workMemory,
    waiting,
    waitingBytes,
  };
}

/** Rates as `class=perSecond/burst`, with those of the classes that are not named. Throws AttuneError. */
export function ratesOf(given: readonly string[]): EdgeLimits["rates"] {
  const rates = { ...defaultLimits.rates };
  for (const text of given) {
    const [, name = "", perSecond, burst] = /^([a-z]+)=(\d+(?:\.\d+)?)\/(\d+)$/.exec(text) ?? [];
    if (!Object.hasOwn(rates, name) || Number(perSecond) <= 0 || Number(burst) < 1) {
      throw badValue("serve", "--rate", text, `class=perSecond/burst with a class of ${Object.keys(rates).join(", ")}`);
    }
    rates[name as keyof typeof rates] = { perSecond: Number(perSecond), burst: Number(burst) };
  }
  return rates;
}
