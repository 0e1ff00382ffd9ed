/** The version, as package.json and deno.json have it (a test compares them). */

/** Attune's version. */
export const VERSION = "0.1.0";
