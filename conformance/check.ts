/** A check of a plugin: a name, and what is run. */

/** One thing that has to hold. Its name says so where it cannot be looked at, and why. */
export interface Check {
  readonly name: string;
  /** Rejects with what does not hold. */
  run(): Promise<void>;
  /** Why nothing is looked at; where only the plugin shows that, it is known when the check has run. */
  readonly skipped?: string | undefined;
}

/** A check by what holds; `run` gives why it looked at nothing, where it did not. */
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

/** A check that is not run: its name says what is missing. */
export function passedOver(name: string, missing: string): Check {
  return { name: `${name} (not looked at without ${missing})`, run: async () => {}, skipped: missing };
}

/**
 * Checks that want something, and look at it only when they run: where it is not there, each is passed over, and its
 * name says so.
 */
export function needing<T extends object>(
  what: T | undefined,
  missing: string,
  checks: (what: T) => readonly Check[],
): readonly Check[] {
  return what ? checks(what) : checks({} as T).map(({ name }) => passedOver(name, missing));
}
