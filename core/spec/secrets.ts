/** Secrets among options: the text itself, or the environment's variable that has it. */
import { AttuneError } from "../base/errors.ts";
import type { Host, Secret } from "../types.ts";

/** The text of a secret. Throws AttuneError (`MISSING`) if the environment has no such variable. */
export function revealSecret(plugin: string, secret: Secret, { env }: Pick<Host, "env">): string {
  if (typeof secret === "string") return secret;
  const text = env[secret.env];
  if (text !== undefined && text !== "") return text;
  const message = `The environment variable ${secret.env} is not set`;
  throw new AttuneError(message, { code: "MISSING", plugin, path: secret.env });
}
