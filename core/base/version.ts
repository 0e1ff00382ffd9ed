/** The version, which a test compares with package.json and deno.json. */

/** Attune's version. */
export const VERSION = "0.1.0";
