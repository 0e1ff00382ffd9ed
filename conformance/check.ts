/** Checks of plugins: a name and a function. */

/** One property to check. The name of a skipped check includes the reason. */
export interface Check {
  readonly name: string;
  /** Runs the check; rejects with the failure. */
  run(): Promise<void>;
  /** Why nothing was checked. If that depends on the plugin, it is known only after the run. */
  readonly skipped?: string | undefined;
}

/** Creates a check; `run` returns the reason if it had nothing to check. */
export function check(name: string, run: () => string | void | Promise<string | void>): Check {
  let skipped: string | undefined;
  return {
    name,
    run: async () => {
      skipped = await run() ?? undefined;
    },
    get skipped() {
      return skipped;
    },
  };
}

/** Creates a skipped check, whose name says what is missing. */
export function passedOver(name: string, missing: string): Check {
  return { name: `${name} (not looked at without ${missing})`, run: async () => {}, skipped: missing };
}

/**
 * Returns checks that need `what`, and use it only when they run. If it is undefined, each check is skipped, and its
 * name says what is missing.
 */
export function needing<T extends object>(
  what: T | undefined,
  missing: string,
  checks: (what: T) => readonly Check[],
): readonly Check[] {
  return what ? checks(what) : checks({} as T).map(({ name }) => passedOver(name, missing));
}
